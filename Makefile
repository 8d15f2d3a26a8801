# Everything a new machine needs: Python 3.11 or newer. Both commands make their own environment in .venv.
PYTHON ?= python3
BIN := .venv/bin
DEMO_STORE := demo-store

.PHONY: demo test check clean

demo: .venv/core.stamp  ## mine the bundled sample logs, from audio to pairs, and show what was found
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh data_samples/demo.sh $(DEMO_STORE)

test: .venv/dev.stamp  ## every test, the slow ones too
	$(BIN)/python -m pytest

check: .venv/dev.stamp  ## lint, format, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv $(DEMO_STORE)

.venv/core.stamp: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/dev.stamp: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch .venv/core.stamp $@
