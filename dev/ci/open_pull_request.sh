#!/usr/bin/env bash
# Commit what has changed to a branch, open a pull request for it, and start CI on it.
#
# usage: dev/ci/open_pull_request.sh BRANCH TITLE      GH_TOKEN gives access
#
# A pull request of the branch that is open already is brought up to date. Without a change it says
# so. CI is started by name, since a push with the token of a workflow starts no other workflow.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

branch=$1
title=$2

if git diff --quiet; then
  echo "nothing has changed"
  exit
fi

git switch --quiet --force-create "$branch"
git -c user.name="github-actions[bot]" \
  -c user.email="41898282+github-actions[bot]@users.noreply.github.com" \
  commit --quiet --all --message "$title"
gh auth setup-git
git push --quiet --force origin "$branch"

if [[ $(gh pr list --head "$branch" --state open --json number --jq length) == 0 ]]; then
  gh pr create --head "$branch" --title "$title" \
    --body "Newer dependencies and base image. CI says whether all still works."
fi
gh workflow run ci.yml --ref "$branch"
