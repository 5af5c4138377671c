"""An environment file: which AWS resources a deploy uses, and how large a task is."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from deploy.outcome import Refused

FOLDER = Path(__file__).parent / "environments"
DEFAULT = "assessment"
PREFIX = "DEPLOY_"

ARCHITECTURES = {"X86_64": "amd64", "ARM64": "arm64"}
"""What ECS calls an architecture, and what container engines call it."""

FARGATE_MEMORY = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4097, 1024)),
    1024: tuple(range(2048, 8193, 1024)),
    2048: tuple(range(4096, 16385, 1024)),
    4096: tuple(range(8192, 30721, 1024)),
    8192: tuple(range(16384, 61441, 4096)),
    16384: tuple(range(32768, 122881, 8192)),
}
"""The CPU units that Fargate sells, and the MiB of memory that go with each."""

CREDENTIALS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
SECRET_NAME = re.compile(r"SECRET|PASSWORD|PASSWD|TOKEN|PRIVATE_KEY|API_KEY")
OWN_VARIABLES = {"AWS_REGION", "S3_BUCKET", "S3_KEY", "DATASET", "RUN_ID", "LOG_FORMAT"}
"""Variables that the tool sets itself; `SOURCE_URL` has a key of its own too."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The settings of one environment. Each field is a key of its file."""

    name: str
    cluster: str
    repository: str
    bucket: str
    key: str
    log_group: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    family: str

    region: str = ""
    account: str = ""
    execution_role: str = ""
    task_role: str = ""
    registry: str = ""
    """Where images are pushed to, when that is not the address which ECR gives."""
    container: str = "micro-etl"
    dataset: str = "launches"
    source_url: str = ""
    assign_public_ip: bool = True
    """Right for a public subnet, and without effect behind a NAT gateway."""
    cpu: int = 256
    memory: int = 512
    architecture: str = "X86_64"
    stop_timeout: int = 30
    """Seconds that a task has between SIGTERM and SIGKILL."""
    base_image: str = ""
    build_flags: tuple[str, ...] = ()
    """More flags for the container engine's `build`."""
    keep_revisions: int = 10
    """How many revisions that never passed a test are kept."""
    builds: bool = True
    """Whether images are built, pushed and deleted here, or another environment's are taken."""
    schedule: str = ""
    """When the good revision runs, as EventBridge Scheduler has it."""
    schedule_group: str = ""
    schedule_role: str = ""
    schedule_queue: str = ""
    """The ARN of the queue for runs that could not be started."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """More settings of the service, in the task definition: nothing secret."""
    run_variables: Mapping[str, str] = field(default_factory=dict)
    """More settings of the service, given when a task is started."""


def load(reference: str, *, environ: Mapping[str, str]) -> Environment:
    """Read an environment by its name or the path of its file, with the variables' values over it.

    Raises:
        Refused: In one line that names the file or variable, the key, and what is allowed.
    """
    path = _path(reference)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.toml")))
        raise Refused(
            f"environment {reference}: {path} can't be read ({error.strerror})",
            advice=f"--env takes the path of a .toml file or one of: {known}",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{path}: not TOML: {error}") from None
    return parse(content, name=path.stem, source=str(path), environ=environ)


def parse(
    content: Mapping[str, Any], *, name: str, source: str, environ: Mapping[str, str]
) -> Environment:
    """Turn a file's content and the `DEPLOY_…` variables into an environment.

    Raises:
        Refused: In one line that names the file or variable, the key, and what is allowed.
    """
    keys = {item.name: item for item in fields(Environment) if item.name != "name"}
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for key, value in content.items():
        if key not in keys:
            raise Refused(f"{source}: {key}: no such key; known are: {', '.join(sorted(keys))}")
        values[key] = _checked(f"{source}: {key}", str(keys[key].type), value)
        origins[key] = f"{source}: {key}"
    for key, item in keys.items():
        variable = PREFIX + key.upper()
        text = environ.get(variable)
        if text is not None:
            values[key] = _from_text(variable, str(item.type), text)
            origins[key] = variable
    required = [key for key in REQUIRED if not values.get(key)]
    if required:
        raise Refused(
            f"{source}: {required[0]}: missing or empty; set it there or as "
            f"{PREFIX}{required[0].upper()}"
        )
    environment = Environment(name=name, **values)
    _check(environment, origins=origins, emulated=bool(environ.get("AWS_ENDPOINT_URL")))
    return environment


REQUIRED = (
    "cluster",
    "repository",
    "bucket",
    "key",
    "log_group",
    "subnets",
    "security_groups",
    "family",
)


def _path(reference: str) -> Path:
    if "/" in reference or reference.endswith(".toml"):
        return Path(reference)
    return FOLDER / f"{reference}.toml"


def _checked(where: str, kind: str, value: Any) -> Any:
    """Return a TOML value as the type of its field, or refuse it."""
    if kind == "str" and isinstance(value, str):
        return value
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "int" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind.startswith("tuple") and isinstance(value, list) and _all_text(value):
        return tuple(value)
    if kind.startswith("Mapping") and isinstance(value, dict) and _all_text(value.values()):
        return dict(value)
    raise Refused(f"{where}: {value!r} is not {WANTED[kind.partition('[')[0]]}")


def _all_text(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


WANTED = {
    "str": "a string",
    "bool": "true or false",
    "int": "a whole number",
    "tuple": "a list of strings",
    "Mapping": "a table of strings",
}


def _from_text(variable: str, kind: str, text: str) -> Any:
    """Return a variable's text as the type of its field, or refuse it."""
    if kind == "str":
        return text
    if kind == "bool" and text in {"true", "false"}:
        return text == "true"
    if kind == "int" and text.isdecimal():
        return int(text)
    if kind.startswith("tuple"):
        return tuple(shlex.split(text))
    if kind.startswith("Mapping"):
        words = shlex.split(text)
        if all("=" in word for word in words):
            return {name: value for name, _, value in (word.partition("=") for word in words)}
        raise Refused(f"{variable}: {text!r} is not a list like NAME=value OTHER=value")
    raise Refused(f"{variable}: {text!r} is not {WANTED[kind.partition('[')[0]]}")


def _check(environment: Environment, *, origins: Mapping[str, str], emulated: bool) -> None:
    """Refuse values that AWS would refuse later, or that must not be there."""
    if environment.architecture not in ARCHITECTURES:
        raise Refused(
            f"{origins['architecture']}: {environment.architecture!r} is not one of: "
            + ", ".join(ARCHITECTURES)
        )
    if environment.cpu not in FARGATE_MEMORY:
        raise Refused(
            f"{origins['cpu']}: {environment.cpu} is not one of Fargate's: "
            + ", ".join(map(str, FARGATE_MEMORY))
        )
    allowed = FARGATE_MEMORY[environment.cpu]
    if environment.memory not in allowed:
        raise Refused(
            f"{origins.get('memory', origins.get('cpu'))}: {environment.memory} MiB does not go "
            f"with cpu = {environment.cpu}; Fargate has: {', '.join(map(str, allowed))}"
        )
    if not 2 <= environment.stop_timeout <= 120:
        raise Refused(
            f"{origins['stop_timeout']}: {environment.stop_timeout} is not within 2 to 120 seconds"
        )
    if environment.account and not re.fullmatch(r"\d{12}", environment.account):
        raise Refused(f"{origins['account']}: {environment.account!r} is not 12 digits")
    keys = ("schedule", "schedule_group", "schedule_role", "schedule_queue")
    missing = [key for key in keys if not getattr(environment, key)]
    if missing and len(missing) < len(keys):
        given = next(origins[key] for key in keys if key not in missing)
        raise Refused(
            f"{given}: {missing[0]} is missing: a schedule needs all of {', '.join(keys)}"
        )
    for name in environment.variables:
        if name in CREDENTIALS or SECRET_NAME.search(name):
            raise Refused(
                f"{origins['variables']}: {name}: a task definition can be read by many; the "
                "task role is what gives the service its access"
            )
    for name in environment.run_variables:
        if name in CREDENTIALS and not emulated:
            raise Refused(
                f"{origins['run_variables']}: {name}: only for an emulator (AWS_ENDPOINT_URL); "
                "on AWS the task role gives the service its access"
            )
    for table in ("variables", "run_variables"):
        for name in getattr(environment, table):
            if name in OWN_VARIABLES:
                raise Refused(f"{origins[table]}: {name}: this variable is set by the deploy tool")


def next_memory(cpu: int, memory: int) -> tuple[int, int]:
    """Return the next larger size of a task, as CPU units and MiB; the same one when it is the top.

    The smallest step up: more memory for the same CPU where Fargate sells it.
    """
    sizes = sorted(
        ((units, mib) for units, amounts in FARGATE_MEMORY.items() for mib in amounts),
        key=lambda size: (size[1], size[0]),
    )
    larger = [size for size in sizes if size[1] > memory and size[0] >= cpu]
    return larger[0] if larger else (cpu, memory)
