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
    """A cause, and what to do about it.

    Attributes:
        row: The row of the table that recognized it.
    """

    row: str
    cause: str
    advice: str


@dataclass(frozen=True)
class Row:
    """How one kind of ending is recognized, and how it is explained."""

    name: str
    recognizes: Callable[[Ending], bool]
    cause: Callable[[Ending, Names], str]
    advice: Callable[[Ending, Names], str]


def explain(ending: Ending, names: Names) -> Explanation | None:
    """Return the cause of an ending and what to do about it, or nothing for a success."""
    if ending.exit_code == 0 and ending.stop_code not in FROM_OUTSIDE:
        return None
    for row in ROWS:
        if row.recognizes(ending):
            return Explanation(row.name, row.cause(ending, names), row.advice(ending, names))
    raise AssertionError("the last row recognizes every ending")


SERVICE_CODES = {
    64: ("wrong flags", "check the command of the image"),
    65: (
        "the data breaks the dataset's contract, or a guard refused the table",
        "look at the violations in the log; the object is as it was before; `./deploy.sh --force` "
        "publishes a change of columns or a smaller table that is meant",
    ),
    66: (
        "the source is not there",
        "check the address: `url` in the dataset file, or source_url in the environment file",
    ),
    69: (
        "the source is down or answers wrongly, after all retries",
        "try again later; the object is as it was before",
    ),
    70: ("a defect in the service", "report it with the log above"),
    71: (
        "out of memory or disk, or no scratch folder",
        "see the log above; a larger task: cpu and memory in the environment file",
    ),
    74: ("the target can't be read or written", "check the bucket, its region and the network"),
    75: ("another run published first", "nothing to do: the object is of the other run"),
    77: (
        "access denied",
        "check the task role: `./deploy.sh verify --policy` prints what it needs; "
        "`./deploy.sh bootstrap NAME` gives it that, in an environment that it made",
    ),
    78: ("a wrong or missing setting or dataset file", "correct it in the environment file"),
    130: ("the service was interrupted", "run it again"),
    143: ("the service was stopped by SIGTERM", "run it again; the object is as it was before"),
}
"""The service's own exit codes: what they mean, and what to do."""

OTHER_ARCHITECTURE = "other architecture"
NO_CAPACITY = "no capacity"
OUTSIDE = "stopped from outside"
LARGEST_MEMORY = 122_880
"""The most MiB that Fargate sells."""
QUOTA = re.compile(r"limit on the number of vCPUs|vCPU limit|concurrent tasks", re.IGNORECASE)
CAPACITY = re.compile(r"capacity|RESOURCE:", re.IGNORECASE)
PULL = re.compile(r"CannotPull|unable to pull image")
ABSENT = re.compile(
    r"not found|manifest unknown|does not exist|\b403\b|forbidden|denied|not authorized",
    re.IGNORECASE,
)
NO_WAY = re.compile(
    r"i/o timeout|request canceled|deadline exceeded|connection refused|no such host|"
    r"TLS handshake timeout|connection issue|dial tcp",
    re.IGNORECASE,
)
PLATFORM = re.compile(
    r"descriptor matching platform|no matching manifest|exec format error", re.IGNORECASE
)
REGISTRY_AUTH = re.compile(r"unable to pull secrets or registry auth|cannot pull registry auth")
LOGGER = re.compile(
    r"failed to validate logger args|log group does not exist|"
    r"cannot find the Amazon CloudWatch log group|failed to initialize logging driver",
    re.IGNORECASE,
)
ROLE = re.compile(
    r"Role is not valid|iam:PassRole|unable to assume the role|trust relationship", re.IGNORECASE
)
DENIED = re.compile(r"AccessDenied|not authorized", re.IGNORECASE)
NO_GROUP = re.compile(r"does not exist|ResourceNotFound|cannot find", re.IGNORECASE)
PULL_PERMISSIONS = "ecr:BatchCheckLayerAvailability, ecr:BatchGetImage, ecr:GetDownloadUrlForLayer"


def _network_advice(names: Names) -> str:
    endpoints = "endpoints for ecr.api, ecr.dkr, s3 and logs"
    if names.assign_public_ip:
        return (
            "the task has a public IP: check that its subnet is public (a route to an internet "
            f"gateway); a private one needs a NAT gateway, or {endpoints}; and that the security "
            "group lets port 443 out"
        )
    return (
        "public subnet: set assign_public_ip = true; private subnet: it needs a NAT gateway, or "
        f"{endpoints}; and the security group must let port 443 out"
    )


def _all_failures(ending: Ending) -> str:
    return "; ".join(
        reason + (f" ({detail})" if detail else "") for reason, detail in ending.failures
    )


def _platform_cause(_: Ending, names: Names) -> str:
    image = names.image_architecture or "another architecture"
    wanted = ARCHITECTURES[names.architecture]
    return (
        f"the image is for {image}, the task definition says {names.architecture} ({wanted}): "
        f"{names.image}"
    )


def _role_cause(ending: Ending, names: Names) -> str:
    what = (
        "the caller may not pass the roles"
        if "iam:PassRole" in ending.reason
        else "ECS can't use a role"
    )
    return f"{what} ({names.execution_role}, {names.task_role}): {ending.reason}"


def _role_advice(ending: Ending, names: Names) -> str:
    if "iam:PassRole" in ending.reason:
        return f"the caller's policy needs this statement: {names.pass_role}"
    return (
        "check that both roles exist and trust ecs-tasks.amazonaws.com, and that the caller's "
        f"policy has this statement: {names.pass_role}"
    )


def _memory_advice(_: Ending, names: Names) -> str:
    if names.memory >= LARGEST_MEMORY:
        return "the task already has the largest size that Fargate sells"
    # Up to 8 times the CPU in memory is sold; the smallest size has a pair of its own.
    memory = min(2 * names.memory, LARGEST_MEMORY)
    cpu = f"cpu = {2 * names.cpu} and " if memory > 8 * names.cpu else ""
    return f"double it: {cpu}memory = {memory} in the environment file"


def _auth_cause(ending: Ending, names: Names) -> str:
    if DENIED.search(ending.reason):
        return f"the execution role {names.execution_role} may not log in to ECR: {ending.reason}"
    if NO_WAY.search(ending.reason):
        return f"no way out of the subnet to ECR: {ending.reason}"
    return f"ECS could not log in to ECR, its role or the network: {ending.reason}"


def _auth_advice(ending: Ending, names: Names) -> str:
    role = (
        "allow the role ecr:GetAuthorizationToken on *; `./deploy.sh verify --policy` prints "
        "its whole policy"
    )
    if DENIED.search(ending.reason):
        return role
    if NO_WAY.search(ending.reason):
        return _network_advice(names)
    return f"unknown which: {role}; {_network_advice(names)}"


def _logger_cause(ending: Ending, names: Names) -> str:
    if NO_WAY.search(ending.reason):
        return f"no way out of the subnet to CloudWatch Logs: {ending.reason}"
    if DENIED.search(ending.reason):
        return f"the execution role {names.execution_role} may not write the log: {ending.reason}"
    if NO_GROUP.search(ending.reason):
        return f"the log group {names.log_group} does not exist in {names.region}"
    return f"ECS could not open the log group {names.log_group}: {ending.reason}"


def _logger_advice(ending: Ending, names: Names) -> str:
    if NO_WAY.search(ending.reason):
        return _network_advice(names)
    if DENIED.search(ending.reason):
        return f"allow the role logs:CreateLogStream and logs:PutLogEvents on {names.log_group}"
    create = f"aws logs create-log-group --log-group-name {names.log_group} --region {names.region}"
    if NO_GROUP.search(ending.reason):
        return create
    return (
        f"unknown which: it does not exist ({create}), or there is no way to CloudWatch Logs "
        f"({_network_advice(names)})"
    )


def _service_cause(ending: Ending, _: Names) -> str:
    meaning = SERVICE_CODES[ending.exit_code or 0][0]
    reason = event_of(ending.log, "run_failed").get("error", "")
    return f"the service ended with {ending.exit_code}, {meaning}" + (
        f": {reason}" if reason else ""
    )


def _other_cause(ending: Ending, _: Names) -> str:
    if ending.exit_code is None:
        return f"no container ran: {ending.reason or 'ECS gives no reason'}"
    reason = f": {ending.container_reason}" if ending.container_reason else ""
    return f"the container ended with {ending.exit_code}{reason}"


def _killed_cause(ending: Ending, names: Names) -> str:
    if ending.stop_code == "EssentialContainerExited":
        return (
            "killed with SIGKILL, though the task was not stopped: likely by the kernel, for the "
            f"{names.memory} MiB that the task has"
        )
    return (
        "killed with SIGKILL: it had not ended by itself within stopTimeout, "
        f"{names.stop_timeout} s after SIGTERM" + (f" ({ending.reason})" if ending.reason else "")
    )


def _killed_advice(ending: Ending, names: Names) -> str:
    if ending.stop_code == "EssentialContainerExited":
        return _memory_advice(ending, names)
    return "look for who stopped it; stop_timeout in the environment gives it longer, 120 s at most"


ROWS: tuple[Row, ...] = (
    Row(
        "role",
        lambda ending: ending.exit_code is None and bool(ROLE.search(ending.reason)),
        _role_cause,
        _role_advice,
    ),
    Row(
        "caller",
        lambda ending: bool(ending.error_code in DENIED_CODES),
        lambda ending, _: f"the caller may not do this: {ending.reason}",
        lambda *_: "`./deploy.sh verify --policy` prints the policy that the caller needs",
    ),
    Row(
        "quota",
        lambda ending: (
            ending.exit_code is None
            and bool(QUOTA.search(f"{_all_failures(ending)} {ending.reason}"))
        ),
        lambda ending, _: f"a quota of the account: {_all_failures(ending) or ending.reason}",
        lambda *_: (
            "wait for other tasks to end, or ask for more in Service Quotas: Fargate On-Demand "
            "vCPU resource count"
        ),
    ),
    Row(
        NO_CAPACITY,
        lambda ending: (
            ending.exit_code is None
            and (
                any(CAPACITY.search(" ".join(failure)) for failure in ending.failures)
                or "Capacity is unavailable" in ending.reason
            )
        ),
        lambda ending, _: f"no capacity: {_all_failures(ending) or ending.reason}",
        lambda *_: "try again in a few minutes, or add subnets in other zones to the environment",
    ),
    Row(
        "failures",
        lambda ending: bool(ending.failures),
        lambda ending, _: f"ECS started no task: {_all_failures(ending)}",
        lambda *_: "check what it names: `./deploy.sh verify` looks at each of them",
    ),
    Row(
        OUTSIDE,
        lambda ending: ending.stop_code in FROM_OUTSIDE,
        lambda ending, _: (
            f"{FROM_OUTSIDE[ending.stop_code]} ({ending.stop_code}"
            + (f": {ending.stopped_reason}" if ending.stopped_reason else "")
            + ")"
            + (
                f"; its exit code {ending.exit_code} says nothing then"
                if ending.exit_code is not None
                else ""
            )
        ),
        lambda *_: "run it again: `./deploy.sh run`",
    ),
    Row(
        OTHER_ARCHITECTURE,
        lambda ending: bool(
            PLATFORM.search(ending.reason)
            or (ending.exit_code and any(PLATFORM.search(line) for line in ending.log))
        ),
        _platform_cause,
        lambda _, names: (
            f"build for {ARCHITECTURES[names.architecture]}, or set architecture in the "
            "environment to the image's"
        ),
    ),
    Row(
        "registry login",
        lambda ending: ending.exit_code is None and bool(REGISTRY_AUTH.search(ending.reason)),
        _auth_cause,
        _auth_advice,
    ),
    Row(
        "log group",
        lambda ending: ending.exit_code is None and bool(LOGGER.search(ending.reason)),
        _logger_cause,
        _logger_advice,
    ),
    Row(
        "no way to the image",
        lambda ending: bool(PULL.search(ending.reason) and NO_WAY.search(ending.reason)),
        lambda ending, _: f"no way out of the subnet to ECR: {ending.reason}",
        lambda _, names: _network_advice(names),
    ),
    Row(
        "no such image",
        lambda ending: bool(PULL.search(ending.reason) and ABSENT.search(ending.reason)),
        lambda ending, names: (
            f"{names.image} is not in the repository, or the execution role "
            f"{names.execution_role} may not pull it: {ending.reason}"
        ),
        lambda *_: (
            f"check the digest with `./deploy.sh status`; the role needs {PULL_PERMISSIONS} on "
            "the repository"
        ),
    ),
    Row(
        "out of memory",
        lambda ending: "OutOfMemory" in ending.reason,
        lambda _, names: f"out of memory: the task has {names.memory} MiB",
        _memory_advice,
    ),
    Row("killed", lambda ending: ending.exit_code == 137, _killed_cause, _killed_advice),
    Row(
        "service",
        lambda ending: ending.exit_code in SERVICE_CODES,
        _service_cause,
        lambda ending, _: SERVICE_CODES[ending.exit_code or 0][1],
    ),
    Row(
        "any other",
        lambda _: True,
        _other_cause,
        lambda ending, _: (
            "look at the log above"
            if ending.exit_code is not None
            else "`./deploy.sh verify` looks at everything that the task refers to"
        ),
    ),
)
