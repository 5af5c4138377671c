#!/usr/bin/env bash
# Deploys micro-etl to AWS ECS Fargate: ./deploy.sh --help lists its commands. Without one, it does what these would:
#
#   docker build --tag REPOSITORY:COMMIT . && docker push REPOSITORY:COMMIT    once a commit; everything uses its digest
#   aws ecs register-task-definition --family FAMILY ...                       when it differs from the last one
#   aws ecs run-task --launch-type FARGATE --task-definition FAMILY ...        one task, followed to its end
#   aws logs get-log-events ...                                                its log, while it runs
#   pytest tests/integration                                                   is the object what the source says?
#   aws ecs tag-resource --tags key=micro-etl:passed,value=NOW                 then it is the good revision, and
#   aws scheduler update-schedule ...                                          what the schedule runs from now on
#
# The program is in deploy/: image/, task/, proof/ and account/. It needs an environment of its own, made here, once.
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
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

# Windows has `Scripts` for `bin`.
programs() { if [[ -d $1/Scripts ]]; then printf '%s\n' "$1/Scripts"; else printf '%s\n' "$1/bin"; fi; }

python=$(find_python) || fail 'Python 3.11 or later is needed; PYTHON names another command'
[[ -r $requirements ]] || fail "$requirements is missing"
# One environment for each state of the requirements and each Python: made once, never changed.
key=$("$python" -c '
import hashlib, pathlib, sys
content = pathlib.Path(sys.argv[1]).read_bytes() + repr((sys.executable, sys.version)).encode()
print(hashlib.sha256(content).hexdigest()[:12])' "$requirements")
environment=$root/.venv-deploy/${key%$'\r'}
if [[ ! -d $environment ]]; then
    printf 'deploy.sh: making its own environment, once\n' >&2
    mkdir -p "$root/.venv-deploy" && printf '*\n' > "$root/.venv-deploy/.gitignore"
    # Made under another name, so that one that was interrupted is never taken for a whole one.
    unfinished=$(mktemp -d "$root/.venv-deploy/unfinished.XXXXXX")
    trap 'rm -rf "$unfinished"' EXIT
    "$python" -m venv "$unfinished" >&2 || fail "$python can't make a virtual environment (on Debian: apt install python3-venv)"
    "$(programs "$unfinished")/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --require-hashes --requirement "$requirements" >&2 || fail 'its requirements could not be installed'
    [[ -d $environment ]] || mv "$unfinished" "$environment" # another call may have been faster; both are the same
    rm -rf "$unfinished" && trap - EXIT
fi
# -P: no module is taken from the folder that the user happens to be in.
PYTHONUTF8=1 PYTHONPATH=$root exec "$(programs "$environment")/python" -P -m deploy "$@"
