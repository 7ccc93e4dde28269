# `make demo` and `make test` set up what they need; `make install` is the set-up alone.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: install demo test test-all lint lock

install:
	@$(PYTHON) tools/install.py

demo: install
	$(BIN)/janus demo

test: install lint
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-all: install lint
	$(BIN)/python -m pytest -n 2

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: install
	$(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --extra dev --no-header --no-annotate --upgrade pyproject.toml -o requirements.lock
