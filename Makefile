# Everything a new machine needs: Python 3.11 or newer. Each command makes its own environment in .venv; the tests of
# the backends on PyTorch have a second one in .venv-torch.
PYTHON ?= python3
BIN := .venv/bin
TORCH_BIN := .venv-torch/bin
DEMO_STORE := demo-store

.PHONY: demo test test-torch check clean

demo: .venv/core.stamp  ## mine the bundled sample logs, from audio to pairs, and show what was found
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh data_samples/demo.sh $(DEMO_STORE)

test: .venv/dev.stamp .venv-torch/stamp  ## every test, the slow ones and those of the backends on PyTorch too
	$(BIN)/python -m pytest
	$(TORCH_BIN)/python -m pytest tests/torch_env

test-torch: .venv-torch/stamp  ## the tests of the backends on PyTorch alone
	$(TORCH_BIN)/python -m pytest tests/torch_env

check: .venv/dev.stamp  ## lint, format, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv .venv-torch $(DEMO_STORE)

.venv/core.stamp: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/dev.stamp: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch .venv/core.stamp $@

# Left uncompiled: byte code of 2 GB of packages takes longer than the tests.
.venv-torch/stamp: pyproject.toml tests/torch_env/requirements.txt tests/torch_env/fit_torchaudio.py
	$(PYTHON) -m venv .venv-torch
	$(TORCH_BIN)/python -m pip install --quiet --no-compile --editable ".[openai-whisper,pyannote]" \
		--requirement tests/torch_env/requirements.txt
	$(TORCH_BIN)/python tests/torch_env/fit_torchaudio.py
	touch $@
