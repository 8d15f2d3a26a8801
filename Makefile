# Everything a new machine needs: Python 3.11 or newer. Each command makes its own environment in .venv. Packages that
# would not fit into it have environments of their own for their tests: the recognisers on PyTorch in .venv-torch, vLLM
# in .venv-vllm.
PYTHON ?= python3
BIN := .venv/bin
TORCH_BIN := .venv-torch/bin
VLLM_BIN := .venv-vllm/bin
DEMO_STORE := demo-store

.PHONY: demo test test-torch test-vllm check clean

demo: .venv/core.stamp  ## mine the bundled sample logs, from audio to pairs, and show what was found
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh data_samples/demo.sh $(DEMO_STORE)

test: .venv/dev.stamp .venv-torch/stamp .venv-vllm/stamp  ## every test, the slow ones and those on PyTorch and vLLM too
	$(BIN)/python -m pytest
	$(TORCH_BIN)/python -m pytest tests/torch_env
	$(VLLM_BIN)/python -m pytest tests/vllm_env

test-torch: .venv-torch/stamp  ## the tests of the backends on PyTorch alone
	$(TORCH_BIN)/python -m pytest tests/torch_env

test-vllm: .venv-vllm/stamp  ## the judges' clients against vLLM, served and in process, alone
	$(VLLM_BIN)/python -m pytest tests/vllm_env

check: .venv/dev.stamp  ## lint, format, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv .venv-torch .venv-vllm $(DEMO_STORE)

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

# Left uncompiled: byte code of 3 GB of packages takes longer than the tests. What is removed is for GPUs and pictures.
.venv-vllm/stamp: pyproject.toml tests/vllm_env/requirements.txt
	$(PYTHON) -m venv .venv-vllm
	$(VLLM_BIN)/python -m pip install --quiet --no-compile --editable . --requirement tests/vllm_env/requirements.txt
	$(VLLM_BIN)/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec triton
	touch $@
