# Everything a developer or CI runs. `make help` lists it.
# Works on a fresh machine with Python 3.11 to 3.13 and make: the first target that needs it makes the environment.

VENV ?= .venv
SEED ?= 0
DEMO_OUTPUT ?= runs
PYTEST_ARGS ?=
# Whole files go to each process, so that they keep what their tests share; more than 4 only import frameworks longer.
TEST_PROCESSES ?= --numprocesses=logical --maxprocesses=4 --dist=loadfile --no-loadscope-reorder
BENCH ?= $(subst _,-,$(basename $(notdir $(filter-out benchmarks/_%,$(wildcard benchmarks/*.py)))))
BENCH_ARGS ?= --quick
COVERAGE_ARGS ?=

# The first interpreter that runs, is new enough, and can make an environment (Debian splits ensurepip off).
USABLE = import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for each in python3.11 python3.12 python3.13 python3 python; do \
	if $$each -c '$(USABLE)' >/dev/null 2>&1; then echo $$each; break; fi; done)

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ROOMS := evertune tune export serve monitoring retune cli examples benchmarks

.DEFAULT_GOAL := help
.PHONY: help setup check test test-tensorflow demo bench coverage constraints

help:  ## this list
	@awk -F ':.*## +' '/^[a-z]+:.*##/ { printf "%-12s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP)  ## make .venv from constraints.txt (PYTHON=... chooses the interpreter)

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.11 to 3.13 with venv found." \
		"Install one (Debian: apt-get install python3 python3-venv) or set PYTHON=/path/to/python." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[tune,dev]'
	touch $@

check: $(STAMP)  ## ruff, mypy --strict, import-linter, doctests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --doctest-modules --durations=0 --durations-min=5 --quiet $(ROOMS)

test: $(STAMP)  ## the test suite, a process a core, under 10 minutes (PYTEST_ARGS=..., TEST_PROCESSES= for one)
	$(BIN)/python -m pytest -rs $(TEST_PROCESSES) $(PYTEST_ARGS)

test-tensorflow: $(STAMP)  ## the presets' tests once more, on Keras's other backend: a process has but one
	KERAS_BACKEND=tensorflow $(BIN)/python -m pytest -rs $(PYTEST_ARGS) tests/tune/test_presets.py tests/tune/test_raw_presets.py

demo: $(STAMP)  ## the whole loop on real data, under 5 minutes (SEED=0)
	$(BIN)/evertune demo --seed $(SEED) --output $(DEMO_OUTPUT)

bench: $(STAMP)  ## all benchmarks, or BENCH=name; BENCH_ARGS= for the full length
	@missed=0; for each in $(BENCH); do echo "== $$each"; \
		$(BIN)/python -m benchmarks $$each $(BENCH_ARGS) || missed=1; done; exit $$missed

coverage: $(STAMP)  ## every framework on every domain through the whole loop: docs/coverage.md, about 10 minutes
	$(BIN)/python -m benchmarks.coverage $(COVERAGE_ARGS)

constraints: $(STAMP)  ## pin what is installed now; run it when `make check test demo` has passed
	$(BIN)/python -m pip freeze --exclude-editable | sed -E 's/\+[A-Za-z0-9.]+$$//' > constraints.txt
	touch $(STAMP)
