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
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(UV):
	@python3 -m venv .tools || { echo "Python's venv is missing. Install it: sudo apt-get install -y python3-venv" >&2; exit 1; }
	.tools/bin/pip install --quiet uv

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

.PHONY: mosquitto
mosquitto: # Mosquitto from the system's packages, where it is missing
	@deploy/install-package mosquitto

.PHONY: faketime
faketime: # for the drill's clock faults, which are left out without it
	-@deploy/install-package faketime

.PHONY: test
test: $(VENV)/.dev mosquitto faketime ## all tests, with the real broker and emulators
	$(BIN)/pytest

.PHONY: test-unit test-contract test-integration test-e2e
test-unit: $(VENV)/.dev ## pure logic: no network, seconds
	$(BIN)/pytest tests/unit
test-contract: $(VENV)/.dev mosquitto ## one suite a port, on the fake and on the real adapter
	$(BIN)/pytest tests/contract
test-integration: $(VENV)/.dev mosquitto ## real Mosquitto, Pub/Sub emulator and storage emulator
	$(BIN)/pytest tests/integration
test-e2e: $(VENV)/.dev mosquitto faketime ## the whole chain, with faults
	$(BIN)/pytest tests/e2e

.PHONY: demo
demo: $(VENV)/.runtime mosquitto ## 24 images through the whole chain on this machine; IMAGES=folder takes yours
	@$(BIN)/digiscope-cloud local demo $(if $(IMAGES),--images '$(IMAGES)')

.PHONY: up
up: $(VENV)/.runtime mosquitto ## the same system until Ctrl-C, with a camera; CAMERA=0, a URL or a video file
	@$(BIN)/digiscope-cloud local up $(if $(CAMERA),--camera '$(CAMERA)')

.PHONY: train
train: $(VENV)/.dev ## train the first model anew from ../shared/data/ham10000, into runs/; CONFIG=cloud or edge for the others
	$(BIN)/digiscope-cloud train --config $(or $(CONFIG),paper-cnn)

.PHONY: drill
drill: $(VENV)/.runtime mosquitto faketime ## the fault kit: storm and flood, then 1,000 captures through every fault; SEED=7 runs one again
	@$(BIN)/digiscope-cloud drill --measure storm --measure flood $(if $(SEED),--seed $(SEED))

.PHONY: fuzz
fuzz: $(VENV)/.dev ## hostile input: 120,000 of it through everything that decodes; SEED=7 runs one again
	@$(BIN)/python -m tests.fuzz $(if $(SEED),--seed $(SEED))

.PHONY: bench
bench: $(VENV)/.runtime mosquitto ## what this machine does: images a second, CPU a capture, latency
	@$(BIN)/digiscope-cloud local bench
	@$(BIN)/python -m digiscope_cloud.vision.bench
