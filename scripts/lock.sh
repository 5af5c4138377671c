#!/usr/bin/env bash
# Pin what pyproject.toml asks for, with hashes, in requirements*.txt; run by `make lock`.
#
# usage: scripts/lock.sh UV [OPTION...]      OPTION goes to uv, such as --upgrade
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

uv=$1
shift

pin() {
  local file=$1
  shift
  echo "$file"
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-annotate \
    --custom-compile-command "make lock" --output-file "$file" "$@"
}

# The others are constrained by the first, so that tests run what the image ships.
pin requirements.txt pyproject.toml "$@"
pin requirements-quickstart.txt pyproject.toml --group quickstart -c requirements.txt "$@"
pin requirements-dev.txt pyproject.toml --group dev -c requirements-quickstart.txt "$@"
pin requirements-torture.txt pyproject.toml --group torture -c requirements-dev.txt "$@"
pin requirements-spark.txt pyproject.toml --extra spark -c requirements-dev.txt "$@"
pin requirements-deploy.txt --group deploy -c requirements-dev.txt "$@"
