#!/usr/bin/env bash
# Pull an image from ECR by its digest.
#
# usage: dev/ci/pull_image.sh NAME DIGEST
set -euo pipefail

aws ecr get-login-password | docker login --username AWS --password-stdin "${1%%/*}"
docker pull --quiet "$1@$2"
