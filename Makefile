# One command each for a newcomer; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
DATA ?= data
PORT ?= 8000
lower = $(shell echo $(1) | tr A-Z a-z)

.PHONY: help setup run test test-fast test-slow lint bench load simulate mutate clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.ready ## make .venv from requirements.lock (hashes checked)

$(VENV)/.ready: requirements.lock pyproject.toml
	@"$(PYTHON)" -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v in ((3, 11), (3, 12)) else f"boond needs Python 3.11 or 3.12, found {sys.version.split()[0]}: set PYTHON=/path/to/python3.11")'
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: setup ## start everything on ./data and replay wallet events through the public API
	$(BIN)/boond run --data $(DATA) --port $(PORT)

lint: setup ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-fast: setup ## unit, contract and simulation tests (no servers), two to three minutes
	$(BIN)/pytest -q tests/unit tests/contract tests/simulation

test-slow: setup ## integration and acceptance on real Postgres, Ray and sockets
	$(BIN)/pytest -q tests/integration tests/acceptance

test: lint test-fast test-slow ## everything: lint, types, imports, unit, then integration and acceptance

bench: setup ## the table of figures (see docs/benchmarks.md)
	$(BIN)/python -m tests.benchmarks

load: setup ## load test with thresholds: SCENARIO=steady USERS= RATE= DURATION= ... (loadtests/README.md)
	$(BIN)/python -m loadtests $(or $(SCENARIO),steady) $(foreach v,USERS PHONES RATE DURATION WARMUP ZIPF STORM SEED HOLDERS NICE SLOW URL REPORT,$(if $($(v)),--$(call lower,$(v)) $($(v)))) $(if $(URL),--data $(DATA)) $(LOAD_ARGS)

simulate: setup ## worlds of faults from seeds: SEEDS=1-100 for some, FRESH=50 for new ones
	$(BIN)/python -m tests.simulation $(if $(SEEDS),--seeds $(SEEDS)) --fresh $(or $(FRESH),$(if $(SEEDS),0,50))

mutate: setup ## change the money modules a line at a time, and see which changes no test notices (an hour, one core)
	$(BIN)/pip install --quiet --disable-pip-version-check mutmut==3.8.1
	nice -n 15 $(BIN)/mutmut run --max-children 1
	$(BIN)/mutmut results

clean: ## remove the environment and caches; data stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info build
