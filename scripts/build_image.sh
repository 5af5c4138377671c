#!/usr/bin/env bash
# Build the image for this machine's architecture and run it once, as locked down as a task is.
#
# usage: scripts/build_image.sh IMAGE
#
# CONTAINER_ENGINE names another command than docker, BASE_IMAGE another base than the Dockerfile's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

image=$1
engine=${CONTAINER_ENGINE:-docker}

"$engine" build --quiet ${BASE_IMAGE:+--build-arg "BASE_IMAGE=$BASE_IMAGE"} \
  --build-arg "REVISION=$(git rev-parse HEAD)" --tag "$image" .

user=$("$engine" image inspect --format '{{.Config.User}}' "$image")
if [[ -z $user || $user == root* || $user == 0* ]]; then
  echo "$0: the image runs as root" >&2
  exit 1
fi
"$engine" run --rm --network none --read-only --tmpfs /tmp --cap-drop ALL \
  --security-opt no-new-privileges "$image" datasets
