#!/usr/bin/env bash
# Build this commit's image and push it, unless the repository has it; tell its name and digest.
#
# usage: dev/ci/ship.sh ENVIRONMENT
#
# Writes name=, digest= and pushed= to GITHUB_OUTPUT, where later steps read them, else to standard output.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

verdict=$(./deploy.sh ship --env "$1" --json)
python3 -c '
import json, sys
image = json.loads(sys.argv[1])["image"]
print("name=" + image["address"])
print("digest=" + image["digest"])
print("pushed=" + str(image["pushed"]).lower())
' "$verdict" >>"${GITHUB_OUTPUT:-/dev/stdout}"
