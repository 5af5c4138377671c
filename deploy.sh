#!/usr/bin/env bash
# Deploys micro-etl to AWS ECS Fargate: ./deploy.sh --help says how.
# It makes a virtual environment of its own, once, and hands over to the program in deploy/.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
requirements=$root/requirements/deploy.txt

fail() {
    printf 'deploy.sh: %s\n' "$1" >&2
    exit 10
}

find_python() {
    local candidate
    # The requirements are made for these three; a later Python may have no wheels of them yet.
    for candidate in ${PYTHON:+"$PYTHON"} python3.13 python3.12 python3.11 python3 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

python=$(find_python) || fail 'Python 3.11 or later is needed; PYTHON names another command'
[[ -r $requirements ]] || fail "$requirements is missing"

# One environment for each state of the requirements and each Python: made once, never changed.
key=$("$python" -c '
import hashlib, pathlib, sys
content = pathlib.Path(sys.argv[1]).read_bytes() + repr((sys.executable, sys.version)).encode()
print(hashlib.sha256(content).hexdigest()[:12])
' "$requirements")
environment=$root/.venv-deploy/$key

if [[ ! -d $environment ]]; then
    printf 'deploy.sh: making its own environment, once\n' >&2
    mkdir -p "$root/.venv-deploy"
    printf '*\n' > "$root/.venv-deploy/.gitignore"
    # Made under another name, so that one that was interrupted is never taken for a whole one.
    unfinished=$(mktemp -d "$root/.venv-deploy/unfinished.XXXXXX")
    trap 'rm -rf "$unfinished"' EXIT
    "$python" -m venv "$unfinished" >&2 || fail "$python can't make a virtual environment (on Debian: apt install python3-venv)"
    "$unfinished/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --require-hashes --requirement "$requirements" >&2 || fail 'its requirements could not be installed'
    # Another call may have been faster; both are the same.
    [[ -d $environment ]] || mv "$unfinished" "$environment"
    rm -rf "$unfinished"
    trap - EXIT
fi

# -P: no module is taken from the folder that the user happens to be in.
PYTHONPATH=$root exec "$environment/bin/python" -P -m deploy "$@"
