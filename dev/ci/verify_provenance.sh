#!/usr/bin/env bash
# Verify that this repository's deploy workflow has built an image, before it is promoted.
#
# usage: dev/ci/verify_provenance.sh NAME DIGEST
set -euo pipefail

aws ecr get-login-password | docker login --username AWS --password-stdin "${1%%/*}"
gh attestation verify "oci://$1@$2" --repo "$GITHUB_REPOSITORY" \
    --signer-workflow "$GITHUB_REPOSITORY/.github/workflows/deploy.yml"
