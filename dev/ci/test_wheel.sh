#!/usr/bin/env bash
# Build the wheel, install it with its pinned dependencies, and test it outside the source tree.
#
# usage: dev/ci/test_wheel.sh PYTHON      a Python with the requirements of `make test`
#
# The service's tests are copied without src/, so that they can't pass on the source tree's code.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

python=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$python" -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
  --wheel-dir "$folder/dist" .
wheels=("$folder"/dist/micro_etl-*.whl)

# The wheel alone: its command needs nothing but the service's own pins.
"$python" -m venv "$folder/alone"
"$folder/alone/bin/python" -m pip install --quiet --disable-pip-version-check \
  --require-hashes --requirement requirements.txt
"$folder/alone/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
  "${wheels[0]}"
(cd "$folder" && alone/bin/micro-etl datasets)

"$python" -m venv "$folder/tested"
"$folder/tested/bin/python" -m pip install --quiet --disable-pip-version-check \
  --require-hashes --requirement requirements/dev.txt
"$folder/tested/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
  "${wheels[0]}"
cp -R tests dev datasets docs pyproject.toml "$folder"
# What the dataset files name for editors.
schema=src/micro_etl/datasets/dataset.schema.json
mkdir -p "$folder/${schema%/*}"
cp "$schema" "$folder/$schema"
cd "$folder"
tested/bin/python -m pytest --quiet tests/service tests/integration
