# `make` lists the targets; the comment above a target is its description.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

.DEFAULT_GOAL := help
.PHONY: help run test cases stores spark torture reliability bench scale check format rehearse wheel image audit lock clean

## List the targets.
help:
	@awk '/^## / { text = substr($$0, 4) } /^[a-z]+:/ && text { printf "make %-13s%s\n", substr($$1, 1, length($$1) - 1), text; text = "" }' Makefile

## Run the job: the bundled sample on loopback, or SOURCE_URL to S3_BUCKET.
run: $(VENV)/quickstart.stamp
	@$(BIN)/python -m dev.quickstart

## Run every test that needs no container engine.
test: $(VENV)/dev.stamp
	@$(BIN)/python -m pytest

## Run every recorded API and way of paging, and count those that come out right.
cases: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.test_cases

## Install the emulators of Azure and S3 and the JavaScript reader that `make test` uses; needs npm.
stores: $(VENV)/stores.stamp

## Run the tests of the Spark engine; needs Java 17.
spark: $(VENV)/spark.stamp
	@$(BIN)/python -c 'import sys; from micro_etl.spark.session import missing; sys.exit(missing())'
	@$(BIN)/python -m pytest tests/spark

## Rehearse a deploy in an emulated AWS on this machine; needs a container engine.
rehearse: $(VENV)/dev.stamp
	@$(BIN)/python -m dev.rehearsal

## Run the slow tests: every fault, kills, fuzzing, a soak; up to 15 minutes.
torture: $(VENV)/torture.stamp
	@timeout 900 $(BIN)/python -m pytest tests/torture -m torture -rA --show-capture=stdout -q

## Write docs/reliability.md from the results of every fault.
reliability: $(VENV)/torture.stamp
	@WRITE_RELIABILITY=1 $(BIN)/python -m pytest tests/torture/test_faults.py -m "" -k fault_leaves -q

## Check formatting, lint and types.
check: $(VENV)/dev.stamp
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/cfn-lint infra/*.yaml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/zizmor --quiet --offline --persona pedantic .github

## Format the code and fix what the linter can.
format: $(VENV)/dev.stamp
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

## Build the wheel, and test it without the source tree.
wheel: $(VENV)/dev.stamp
	@dev/ci/test_wheel.sh $(BIN)/python

## Build the image and run it once; needs a container engine.
image:
	@$(PYTHON) -m dev.ci.build_image micro-etl:ci

## Look for known vulnerabilities in the pinned dependencies; needs the internet.
audit: $(VENV)/dev.stamp
	@set -e; for file in requirements.txt requirements/*.txt; do \
	  echo "$$file"; $(BIN)/pip-audit --disable-pip --require-hashes -r $$file; done

## Compare the service with its peers, into docs/benchmarks.md; takes 15 minutes.
bench: $(VENV)/dev.stamp
	@$(BIN)/python -m dev.bench $(BENCH_OPTIONS)

## Compare both engines on larger and larger folders, into docs/scale.md; takes an hour and 15 GB.
scale: $(VENV)/spark.stamp
	@$(BIN)/python -m dev.bench.scale $(SCALE_OPTIONS)

## Pin every dependency with its hashes; LOCK_OPTIONS=--upgrade takes the newest.
lock: $(VENV)/dev.stamp
	@$(BIN)/python -m dev.ci.lock $(abspath $(BIN)/uv) $(LOCK_OPTIONS)

## Remove the virtual environments and out/.
clean:
	rm -rf $(VENV) .venv-* out

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "micro-etl needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.13" >&2; exit 1; }
	@echo "Making the virtual environment $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/quickstart.stamp: requirements.txt requirements/quickstart.txt pyproject.toml | $(BIN)/python
	@echo "Installing what the quick start needs (half a minute) ..."
	@$(PIP) -r requirements/quickstart.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/deploy.txt requirements/otel.txt requirements/dev.txt $(VENV)/quickstart.stamp
	@echo "Installing what the tests need (a minute) ..."
	@$(PIP) -r requirements/dev.txt
	@touch $@

$(VENV)/stores.stamp: tests/stores/package.json $(VENV)/dev.stamp
	@echo "Installing what the tests of the stores need (a minute) ..."
	@rm -rf $(VENV)/stores && mkdir -p $(VENV)/stores && cp tests/stores/package.json $(VENV)/stores/
	@npm install --prefix $(VENV)/stores --no-package-lock --no-audit --no-fund --silent
	@touch $@

$(VENV)/torture.stamp: requirements/torture.txt $(VENV)/dev.stamp
	@echo "Installing the fuzzer ..."
	@$(PIP) -r requirements/torture.txt
	@touch $@

$(VENV)/spark.stamp: requirements/spark.txt $(VENV)/dev.stamp
	@echo "Installing Spark (half a minute, 460 MB) ..."
	@$(PIP) -r requirements/spark.txt
	@touch $@
