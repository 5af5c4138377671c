# The door to everything; each target says what it does.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

.PHONY: run test spark torture reliability bench scale check format rehearse wheel image audit lock clean

## The job, from nothing: the bundled sample on loopback, or SOURCE_URL and S3_BUCKET for real.
run: $(VENV)/quickstart.stamp
	@$(BIN)/python -m quickstart

## Every test that needs no container engine.
test: $(VENV)/dev.stamp
	@$(BIN)/python -m pytest

## The tests of the Spark engine, which `make test` leaves out where Spark is not; needs Java 17.
spark: $(VENV)/spark.stamp
	@$(BIN)/python -c 'import sys; from micro_etl.spark.session import missing; sys.exit(missing())'
	@$(BIN)/python -m pytest tests/spark

## The whole cloud on this machine; it needs a container engine.
rehearse: $(VENV)/dev.stamp
	@$(BIN)/python -m rehearsal

## The slow parts of the tests: every fault, kills, fuzzing, a soak; a quarter of an hour at most.
torture: $(VENV)/torture.stamp
	@timeout 900 $(BIN)/python -m pytest tests/torture -m torture -rA --show-capture=stdout -q

## Write docs/reliability.md anew from what every fault shows.
reliability: $(VENV)/torture.stamp
	@WRITE_RELIABILITY=1 $(BIN)/python -m pytest tests/torture/test_faults.py -m "" -k fault_leaves -q

## Linters, formatter and types.
check: $(VENV)/dev.stamp
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/cfn-lint infra/*.yaml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/zizmor --quiet --offline --persona pedantic .github

## Lay out the code as `make check` wants it.
format: $(VENV)/dev.stamp
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

## The wheel, installed and tested without the source tree.
wheel: $(VENV)/dev.stamp
	@scripts/test_wheel.sh $(BIN)/python

## The image alone.
image:
	@scripts/build_image.sh micro-etl:ci

## Known vulnerabilities of what is pinned; it asks the internet.
audit: $(VENV)/dev.stamp
	@set -e; for file in requirements*.txt; do \
	  echo "$$file"; $(BIN)/pip-audit --disable-pip --require-hashes -r $$file; done

## This service and its peers side by side, into docs/benchmarks.md; takes a quarter of an hour.
bench: $(VENV)/dev.stamp
	@$(BIN)/python -m bench $(BENCH_OPTIONS)

## Both engines over ever larger folders, into docs/scale.md; takes an hour, and 15 GB of disk.
scale: $(VENV)/spark.stamp
	@$(BIN)/python -m bench.scale $(SCALE_OPTIONS)

## Pin every dependency with its hashes, for Python 3.11 to 3.13, from pyproject.toml.
lock: $(VENV)/dev.stamp
	@scripts/lock.sh $(BIN)/uv $(LOCK_OPTIONS)
	@bench/lock.sh $(abspath $(BIN)/uv) $(LOCK_OPTIONS)

clean:
	rm -rf $(VENV) .venv-* out

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "micro-etl needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.13" >&2; exit 1; }
	@echo "Making the virtual environment $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/quickstart.stamp: requirements-quickstart.txt pyproject.toml | $(BIN)/python
	@echo "Installing what the quick start needs (half a minute) ..."
	@$(PIP) -r requirements-quickstart.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/quickstart.stamp
	@echo "Installing what the tests need (a minute) ..."
	@$(PIP) -r requirements-dev.txt
	@touch $@

$(VENV)/torture.stamp: requirements-torture.txt $(VENV)/dev.stamp
	@echo "Installing the fuzzer ..."
	@$(PIP) -r requirements-torture.txt
	@touch $@

$(VENV)/spark.stamp: requirements-spark.txt $(VENV)/dev.stamp
	@echo "Installing Spark (half a minute, 460 MB) ..."
	@$(PIP) -r requirements-spark.txt
	@touch $@
