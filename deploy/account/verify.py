"""Looks at every resource that a task refers to, and says what would make the task fail."""

from __future__ import annotations

from collections.abc import Sequence

from botocore.exceptions import ClientError

from deploy.account.checks import OF_DATASET, OF_ENVIRONMENT, ROLES, Finding, check_infrastructure
from deploy.aws import Clients, NotAllowed, words_of
from deploy.console import table
from deploy.outcome import Refused
from deploy.target import Target
from deploy.work import Work


def verify_step(
    works: Sequence[Work], *, show_all: bool, alone: bool = False, dry_run: bool = False
) -> Refused | None:
    """Look at every resource; refuse to go on when one would make a task fail.

    Args:
        works: the command's, one a dataset.
        show_all: whether to show what is as it must be, too.
        alone: whether looking is all that is asked for, so that seeing nothing is a failure.
        dry_run: whether to return the refusal, for a plan that goes on to its end.
    """
    work = works[0]
    seen, unseen = verify([item.target for item in works], work.clients, whole=work.whole)
    problems = [finding for finding in seen if not finding.good]
    count = f"{len(seen) - len(problems)} of {len(seen)} checks are good"
    work.console.step("verify", count if seen else "nothing could be looked at")
    rows = [("ok" if item.good else "!!", item.about, item.text) for item in seen]
    for line, finding in zip(table(rows), seen, strict=True):
        if show_all or not finding.good:
            work.console.more(line)
        if finding.advice:
            work.console.more(f"    → {finding.advice}")
    if unseen:
        work.console.more(f"could not look: {', '.join(unseen)}")
    work.common.facts |= {
        "problems": [{"about": item.about, "text": item.text} for item in problems],
        "not_looked_at": unseen,
    }
    if alone and not seen:
        how = "`./deploy.sh verify --policy` prints what the caller needs"
        raise Refused("verify: nothing could be looked at", advice=how)
    if dry_run:  # a plan has placeholders for roles
        problems = [item for item in problems if item.about != ROLES]
    if not problems:
        return None
    first, more = problems[0], len(problems) - 1
    text = f"verify: {first.about}: {first.text}" + (f", and {more} more" if more else "")
    refusal = Refused(text, advice=first.advice)
    if dry_run:
        return refusal
    raise refusal


def verify(
    targets: Sequence[Target], clients: Clients, *, whole: Target | None = None
) -> tuple[list[Finding], list[str]]:
    """Check all of it, each thing once.

    Args:
        targets: the environment for each dataset that is to be deployed.
        clients: what to ask.
        whole: the environment with all of its datasets.

    Returns:
        What was seen; and what was denied, by its action or in AWS's words, which is no problem by
        itself.
    """
    seen: dict[Finding, None] = {}
    unseen: dict[str, None] = {}
    for target, check in [
        *((targets[0], check) for check in OF_ENVIRONMENT),
        *((target, check) for target in targets for check in OF_DATASET),
        *([(whole, check_infrastructure)] if whole else []),
    ]:
        try:
            for finding in check(target, clients):
                seen[finding] = None
        except NotAllowed as denied:
            unseen[denied.action] = None
        except ClientError as error:
            unseen[words_of(error)] = None
    return list(seen), list(unseen)
