"""Explains how a task ended, or why none began: the cause, and what to do.

`ROWS` is the table of it: the first row that recognizes an ending explains it. ECS describes an
ending in half a dozen fields, and the one that decides differs from case to case.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from deploy.aws import DENIED as DENIED_CODES
from deploy.environment import ARCHITECTURES
from deploy.task.ending import FROM_OUTSIDE, Ending, Names, event_of


@dataclass(frozen=True)
class Explanation:
    """A cause and what to do about it, and the row of the table that recognized it."""

    row: str
    cause: str
    advice: str


Texts = tuple[str, str]
"""A cause, and what to do about it."""


def explain(ending: Ending, names: Names) -> Explanation | None:
    """Return the cause of an ending and what to do about it, or nothing for a success."""
    if ending.exit_code == 0 and ending.stop_code not in FROM_OUTSIDE:
        return None
    row, texts = next((row, texts) for row, recognizes, texts in ROWS if recognizes(ending))
    return Explanation(row, *texts(ending, names))


POLICY = "`./deploy.sh verify --policy` prints"
SAME = "the object is as it was before"
SERVICE_CODES: dict[int, Texts] = {
    64: ("wrong flags", "check the command of the image"),
    65: (
        "the data breaks the dataset's contract, or a guard refused the table",
        f"look at the violations in the log; {SAME}; where a change of columns or a much smaller "
        "table is meant, `./deploy.sh --force` publishes it",
    ),
    66: (
        "the source is not there",
        "check the address: `url` in the dataset file, or source_url in the environment file",
    ),
    69: ("the source is down or answers wrongly, after all retries", f"try again later; {SAME}"),
    70: ("a defect in the service", "report it with the log above"),
    71: (
        "out of memory or disk, or no scratch folder",
        "see the log above; a larger task: cpu and memory in the environment file",
    ),
    74: ("the target can't be read or written", "check the bucket, its region and the network"),
    75: ("another run published first", "nothing to do: the object is of the other run"),
    77: (
        "access denied",
        f"check the task role: {POLICY} what it needs; in an environment that it made, "
        "`./deploy.sh bootstrap NAME` grants that",
    ),
    78: ("a wrong or missing setting or dataset file", "correct it in the environment file"),
    130: ("the service was interrupted", "run it again"),
    143: ("the service was stopped by SIGTERM", f"run it again; {SAME}"),
}
"""The service's own exit codes: what they mean, and what to do."""

OTHER_ARCHITECTURE = "other architecture"
NO_CAPACITY = "no capacity"
OUTSIDE = "stopped from outside"
LARGEST_MEMORY = 122_880
"""The most MiB that Fargate sells."""


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


QUOTA = _pattern(r"limit on the number of vCPUs|vCPU limit|concurrent tasks")
CAPACITY = _pattern(r"capacity|RESOURCE:")
PULL = _pattern(r"CannotPull|unable to pull image")
ABSENT = _pattern(
    r"not found|manifest unknown|does not exist|\b403\b|forbidden|denied|not authorized"
)
NO_WAY = _pattern(
    r"i/o timeout|request canceled|deadline exceeded|connection refused|no such host|"
    r"TLS handshake timeout|connection issue|dial tcp"
)
PLATFORM = _pattern(r"descriptor matching platform|no matching manifest|exec format error")
REGISTRY_AUTH = _pattern(r"unable to pull secrets or registry auth|cannot pull registry auth")
SECRET = _pattern(r"retrieve secret|secretsmanager|ssm:GetParameters|ResourceNotFound.*secret")
LOGGER = _pattern(
    r"failed to validate logger args|log group does not exist|"
    r"cannot find the Amazon CloudWatch log group|failed to initialize logging driver"
)
ROLE = _pattern(r"Role is not valid|iam:PassRole|unable to assume the role|trust relationship")
DENIED = _pattern(r"AccessDenied|not authorized")
NO_GROUP = _pattern(r"does not exist|ResourceNotFound|cannot find")


def _network_advice(names: Names) -> str:
    needs = "a NAT gateway, or endpoints for ecr.api, ecr.dkr, s3 and logs"
    if names.assign_public_ip:
        return (
            "the task has a public IP: check that its subnet is public (a route to an internet "
            f"gateway); a private one needs {needs}; and that the security group lets port 443 out"
        )
    return (
        "public subnet: set assign_public_ip = true; private subnet: it needs "
        f"{needs}; and the security group must let port 443 out"
    )


def _failures(ending: Ending) -> str:
    """Return all that ECS says of an answer without a task, or of the ending."""
    texts = (reason + (f" ({detail})" if detail else "") for reason, detail in ending.failures)
    return "; ".join(texts) or ending.reason


def _memory_advice(names: Names) -> str:
    if names.memory >= LARGEST_MEMORY:
        return "the task already has the largest size that Fargate sells"
    # Fargate sells up to 8 times the CPU in memory.
    memory = min(2 * names.memory, LARGEST_MEMORY)
    cpu = f"cpu = {2 * names.cpu} and " if memory > 8 * names.cpu else ""
    return f"double it: {cpu}memory = {memory} in the environment file"


def _role(ending: Ending, names: Names) -> Texts:
    roles = f"({names.execution_role}, {names.task_role}): {ending.reason}"
    if "iam:PassRole" in ending.reason:
        return (
            f"the caller may not pass the roles {roles}",
            f"the caller's policy needs this statement: {names.pass_role}",
        )
    return (
        f"ECS can't use a role {roles}",
        "check that both roles exist and trust ecs-tasks.amazonaws.com, and that the caller's "
        f"policy has this statement: {names.pass_role}",
    )


def _outside(ending: Ending, _: Names) -> Texts:
    reason = f": {ending.stopped_reason}" if ending.stopped_reason else ""
    code = (
        "" if ending.exit_code is None else f"; its exit code {ending.exit_code} says nothing then"
    )
    cause = f"{FROM_OUTSIDE[ending.stop_code]} ({ending.stop_code}{reason}){code}"
    return cause, "run it again: `./deploy.sh run`"


def _platform(_: Ending, names: Names) -> Texts:
    image = names.image_architecture or "another architecture"
    wanted = ARCHITECTURES[names.architecture]
    return (
        f"the image is for {image}, the task definition says {names.architecture} ({wanted}): "
        f"{names.image}",
        f"build for {wanted}, or set architecture in the environment to the image's",
    )


def _auth(ending: Ending, names: Names) -> Texts:
    role = f"allow the role ecr:GetAuthorizationToken on *; {POLICY} its whole policy"
    network = _network_advice(names)
    if DENIED.search(ending.reason):
        who = f"the execution role {names.execution_role}"
        return f"{who} may not log in to ECR: {ending.reason}", role
    if NO_WAY.search(ending.reason):
        return f"no way out of the subnet to ECR: {ending.reason}", network
    cause = f"ECS could not log in to ECR, its role or the network: {ending.reason}"
    return cause, f"unknown which: {role}; {network}"


def _secret(ending: Ending, names: Names) -> Texts:
    cause = f"ECS could not read a secret with {names.execution_role}: {ending.reason}"
    return cause, f"`./deploy.sh verify` looks for each secret; {POLICY} what the role needs"


def _logger(ending: Ending, names: Names) -> Texts:
    group, network = names.log_group, _network_advice(names)
    create = f"aws logs create-log-group --log-group-name {group} --region {names.region}"
    if NO_WAY.search(ending.reason):
        return f"no way out of the subnet to CloudWatch Logs: {ending.reason}", network
    if DENIED.search(ending.reason):
        return (
            f"the execution role {names.execution_role} may not write the log: {ending.reason}",
            f"allow the role logs:CreateLogStream and logs:PutLogEvents on {group}",
        )
    if NO_GROUP.search(ending.reason):
        return f"the log group {group} does not exist in {names.region}", create
    return (
        f"ECS could not open the log group {group}: {ending.reason}",
        f"unknown which: it does not exist ({create}), or there is no way to CloudWatch Logs "
        f"({network})",
    )


def _absent(ending: Ending, names: Names) -> Texts:
    return (
        f"{names.image} is not in the repository, or the execution role {names.execution_role} "
        f"may not pull it: {ending.reason}",
        "check the digest with `./deploy.sh status`; the role needs ecr:BatchCheckLayerAvailability"
        ", ecr:BatchGetImage, ecr:GetDownloadUrlForLayer on the repository",
    )


def _killed(ending: Ending, names: Names) -> Texts:
    if ending.stop_code == "EssentialContainerExited":
        return (
            "killed with SIGKILL, though the task was not stopped: likely by the kernel, for the "
            f"{names.memory} MiB that the task has",
            _memory_advice(names),
        )
    return (
        "killed with SIGKILL: it had not ended by itself within stopTimeout, "
        f"{names.stop_timeout} s after SIGTERM" + (f" ({ending.reason})" if ending.reason else ""),
        "look for who stopped it; stop_timeout in the environment gives it longer, 120 s at most",
    )


def _service(ending: Ending, _: Names) -> Texts:
    meaning, advice = SERVICE_CODES[ending.exit_code or 0]
    reason = event_of(ending.log, "run_failed").get("error", "")
    cause = f"the service ended with {ending.exit_code}, {meaning}"
    return cause + (f": {reason}" if reason else ""), advice


def _other(ending: Ending, _: Names) -> Texts:
    if ending.exit_code is None:
        look = "`./deploy.sh verify` looks at everything that the task refers to"
        return f"no container ran: {ending.reason or 'ECS gives no reason'}", look
    reason = f": {ending.container_reason}" if ending.container_reason else ""
    return f"the container ended with {ending.exit_code}{reason}", "look at the log above"


def _no_container(pattern: re.Pattern[str]) -> Callable[[Ending], bool]:
    """Recognize an ending without an exit code by what AWS says of it."""
    return lambda ending: ending.exit_code is None and bool(pattern.search(_failures(ending)))


def _is_platform(ending: Ending) -> bool:
    in_log = ending.exit_code and any(PLATFORM.search(line) for line in ending.log)
    return bool(PLATFORM.search(ending.reason) or in_log)


ROWS: tuple[tuple[str, Callable[[Ending], bool], Callable[[Ending, Names], Texts]], ...] = (
    ("role", _no_container(ROLE), _role),
    (
        "caller",
        lambda ending: ending.error_code in DENIED_CODES,
        lambda ending, _: (
            f"the caller may not do this: {ending.reason}",
            f"{POLICY} the policy that the caller needs",
        ),
    ),
    (
        "quota",
        _no_container(QUOTA),
        lambda ending, _: (
            f"a quota of the account: {_failures(ending)}",
            "wait for other tasks to end, or ask for more in Service Quotas: Fargate On-Demand "
            "vCPU resource count",
        ),
    ),
    (
        NO_CAPACITY,
        lambda ending: (
            ending.exit_code is None
            and bool(
                CAPACITY.search(_failures(ending))
                if ending.failures
                else "Capacity is unavailable" in ending.reason
            )
        ),
        lambda ending, _: (
            f"no capacity: {_failures(ending)}",
            "try again in a few minutes, or add subnets in other zones to the environment",
        ),
    ),
    (
        "failures",
        lambda ending: bool(ending.failures),
        lambda ending, _: (
            f"ECS started no task: {_failures(ending)}",
            "check what it names: `./deploy.sh verify` looks at each of them",
        ),
    ),
    (OUTSIDE, lambda ending: ending.stop_code in FROM_OUTSIDE, _outside),
    (OTHER_ARCHITECTURE, _is_platform, _platform),
    ("secret", _no_container(SECRET), _secret),
    ("registry login", _no_container(REGISTRY_AUTH), _auth),
    ("log group", _no_container(LOGGER), _logger),
    (
        "no way to the image",
        lambda ending: bool(PULL.search(ending.reason) and NO_WAY.search(ending.reason)),
        lambda ending, names: (
            f"no way out of the subnet to ECR: {ending.reason}",
            _network_advice(names),
        ),
    ),
    (
        "no such image",
        lambda ending: bool(PULL.search(ending.reason) and ABSENT.search(ending.reason)),
        _absent,
    ),
    (
        "out of memory",
        lambda ending: "OutOfMemory" in ending.reason,
        lambda _, names: (
            f"out of memory: the task has {names.memory} MiB",
            _memory_advice(names),
        ),
    ),
    ("killed", lambda ending: ending.exit_code == 137, _killed),
    ("service", lambda ending: ending.exit_code in SERVICE_CODES, _service),
    ("any other", lambda _: True, _other),
)
