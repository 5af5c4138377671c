#!/usr/bin/env bash
# Pin each peer of the benchmark, with hashes, from its requirements.in; run by `make lock`.
#
# usage: bench/lock.sh UV [OPTION...]      OPTION goes to uv, such as --upgrade
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/peers"

uv=$1
shift

for peer in */; do
  echo "$peer"
  # What the service uses too, in the service's version.
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-annotate -c ../../requirements-dev.txt \
    --custom-compile-command "make lock" --output-file "${peer}requirements.txt" \
    "${peer}requirements.in" "$@"
done
