# DigiScope's commands. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
MEMBERS := shared/pyproject.toml edge/pyproject.toml cloud/pyproject.toml
# One thread each: two processes on two cores, not eight threads that fight.
export PYTHONUNBUFFERED := 1

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(UV):
	python3 -m venv .tools && .tools/bin/pip install --quiet uv

$(VENV)/bin/python: | $(UV)
	$(UV) venv --quiet $(VENV)

# What the demo runs: no TensorFlow, no development tools.
$(VENV)/.runtime: $(MEMBERS) constraints.txt | $(VENV)/bin/python
	$(UV) pip install --quiet --python $(BIN)/python --compile-bytecode -c constraints.txt -e './shared[imaging,litert,mqtt]' -e ./edge -e './cloud[local]'
	@touch $@

# What tests, checks and training need on top.
$(VENV)/.dev: $(VENV)/.runtime pyproject.toml
	$(UV) pip install --quiet --python $(BIN)/python --compile-bytecode -c constraints.txt -e './cloud[local,train]' --group dev
	@touch $@

.PHONY: install
install: $(VENV)/.dev ## everything for development, into .venv

.PHONY: check
check: $(VENV)/.dev ## format, lint, types, imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: $(VENV)/.dev ## let ruff format and mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: constraints.txt-refresh
constraints.txt-refresh: | $(UV) ## resolve all versions anew
	$(UV) pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header --all-extras --group dev --upgrade \
	  $(foreach m,shared edge cloud,--no-emit-package digiscope-$(m)) $(MEMBERS) -o constraints.txt
