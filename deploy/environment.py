"""Environment files: the AWS resources that a deploy uses, and the datasets that it publishes."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from deploy.outcome import Refused

ROOT = Path(__file__).parent.parent
FOLDER = Path(__file__).parent / "environments"
DEFAULT = "assessment"
PREFIX = "DEPLOY_"
ARCHITECTURES = {"X86_64": "amd64", "ARM64": "arm64"}
"""What ECS calls an architecture, and what container engines call it."""

CREDENTIALS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
SECRET_NAME = re.compile(
    r"(^|[_-])(SECRET|PASSWORD|PASSWD|PASSPHRASE|TOKEN|CREDENTIALS?|AUTHORIZATION"
    r"|(API|ACCESS|PRIVATE|SECRET)[_-]?KEY([_-]ID)?)$",
    re.IGNORECASE,
)
OWN_VARIABLES = {"AWS_REGION", "S3_BUCKET", "S3_KEY", "DATASET", "RUN_ID", "LOG_FORMAT"}
"""Variables that the tool sets itself; `SOURCE_URL` has a key of its own too."""

REQUIRED = ("cluster", "repository", "bucket", "key", "log_group", "subnets", "security_groups",
            "family")  # fmt: skip
OF_SCHEDULE = ("schedule", "schedule_group", "schedule_role", "schedule_queue")
OF_DATASET = ("key", "source_url", "schedule", "cpu", "memory", "variables", "run_variables",
              "secrets")  # fmt: skip
"""The keys of a `[datasets.NAME]` table."""
NOT_INHERITED = {"key": "", "source_url": "", "secrets": {}}
"""What a table does not take from the top of the file, which has it for its own dataset."""
WANTED = {
    "str": "a string",
    "bool": "true or false",
    "int": "a whole number",
    "tuple": "a list of strings",
    "Mapping": "a table of strings",
}


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The settings of an environment, or of one of its datasets. Each field is a key of the file.

    deploy/README.md says what each means. `datasets` is the same environment once for each dataset
    that it publishes, where the file has `[datasets.NAME]` tables.
    """

    name: str
    cluster: str
    repository: str
    bucket: str
    log_group: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    family: str
    key: str = ""
    region: str = ""
    account: str = ""
    execution_role: str = ""
    task_role: str = ""
    registry: str = ""
    container: str = "micro-etl"
    dataset: str = "launches"
    source_url: str = ""
    assign_public_ip: bool = True
    cpu: int = 256
    memory: int = 512
    architecture: str = "X86_64"
    stop_timeout: int = 30
    base_image: str = ""
    build_flags: tuple[str, ...] = ()
    builds: bool = True
    schedule: str = ""
    schedule_group: str = ""
    schedule_role: str = ""
    schedule_queue: str = ""
    alarm_topic: str = ""
    github_role: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    run_variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    datasets: tuple[Environment, ...] = ()

    def each(self) -> tuple[Environment, ...]:
        """Return the environment once for each dataset that it publishes."""
        return self.datasets or (self,)

    @property
    def dataset_file(self) -> Path | None:
        """The dataset's file, where it is one of the project's."""
        own, bundled = ROOT / "datasets", ROOT / "src" / "micro_etl" / "datasets"
        name = f"{self.dataset}.toml"
        places = (own / name, bundled / name, ROOT / self.dataset)
        return next((file for file in places if file.is_file()), None)

    @property
    def dataset_name(self) -> str:
        """The dataset as its own file names it, and so as the service's metrics do."""
        file = self.dataset_file
        if file is None:
            return Path(self.dataset).stem
        return str(tomllib.loads(file.read_text(encoding="utf-8"))["name"])


TYPES = {item.name: str(item.type) for item in fields(Environment)}


def load(reference: str, *, environ: Mapping[str, str]) -> Environment:
    """Read an environment by its name or the path of its file; variables win over the file."""
    is_path = "/" in reference or reference.endswith(".toml")
    path = Path(reference) if is_path else FOLDER / f"{reference}.toml"
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
    """Turn a file's content and the `DEPLOY_…` variables into an environment."""
    tables = content.get("datasets", {})
    keys = TYPES.keys() - {"name", "datasets"}
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for key in content.keys() - {"datasets"}:
        if key not in keys:
            raise Refused(f"{source}: {key}: no such key; known are: {', '.join(sorted(keys))}")
        origins[key] = f"{source}: {key}"
        values[key] = _checked(origins[key], TYPES[key], content[key])
    for key in keys:
        variable = PREFIX + key.upper()
        if variable in environ:
            origins[key] = variable
            values[key] = _from_text(variable, TYPES[key], environ[variable])
    for key in REQUIRED:
        if not values.get(key) and not (key == "key" and tables):
            raise Refused(
                f"{source}: {key}: missing or empty; set it there or as {PREFIX}{key.upper()}"
            )
    environment = Environment(name=name, **values)
    emulated = bool(environ.get("AWS_ENDPOINT_URL"))
    _check(environment, origins, emulated=emulated, scheduled=not tables)
    datasets = [environment] if environment.key and tables else []
    for table, settings in tables.items():
        where = f"{source}: datasets.{table}"
        found = _dataset(environment, table, settings, where=where)
        if any(table == other.dataset for other in datasets):
            raise Refused(f"{where}: {table} is also the dataset of the file's top; keep one")
        inside = {key: f"{where}.{key}" for key in OF_DATASET}
        _check(found, origins | inside, emulated=emulated, scheduled=False)
        datasets.append(found)
    return replace(environment, datasets=tuple(datasets))


def _dataset(environment: Environment, name: str, settings: Any, *, where: str) -> Environment:
    """Return an environment for the dataset of one table."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or not isinstance(settings, Mapping):
        raise Refused(f"{where}: not a table whose name is letters, digits, `_` and `-`")
    values: dict[str, Any] = dict(NOT_INHERITED)
    for key, value in settings.items():
        if key not in OF_DATASET:
            raise Refused(f"{where}.{key}: no such key; known are: {', '.join(OF_DATASET)}")
        values[key] = _checked(f"{where}.{key}", TYPES[key], value)
    for key in ("variables", "run_variables"):
        values[key] = {**getattr(environment, key), **values.get(key, {})}
    family = f"{environment.family}-{name}"
    found = replace(environment, dataset=name, family=family, **values)
    return replace(found, key=found.key or f"{found.dataset_name}.parquet")


def _checked(where: str, kind: str, value: Any) -> Any:
    """Return a TOML value as the type of its field, or refuse it."""
    plain = {"str": str, "bool": bool, "int": int}.get(kind)
    if plain and type(value) is plain:
        return value
    if kind.startswith("tuple") and isinstance(value, list) and _all_text(value):
        return tuple(value)
    if kind.startswith("Mapping") and isinstance(value, dict) and _all_text(list(value.values())):
        return dict(value)
    # A table's values may be secret, so they are not repeated.
    shown = "a table" if isinstance(value, dict) else repr(value)
    raise Refused(f"{where}: {shown} is not {WANTED[kind.partition('[')[0]]}")


def _all_text(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


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
        for word in words:
            if "=" not in word:
                raise Refused(f"{variable}: {word!r} is not a list like NAME=value OTHER=value")
        return dict(word.split("=", 1) for word in words)
    raise Refused(f"{variable}: {text!r} is not {WANTED[kind]}")


def looks_secret(name: str, value: str) -> bool:
    """Tell whether a variable looks like a secret: by its name, or by a password in its URL."""
    if SECRET_NAME.search(name):
        return True
    try:
        url = urlsplit(value)
        query = parse_qsl(url.query)
    except ValueError:
        return False
    return bool(url.scheme and (url.password or any(SECRET_NAME.search(key) for key, _ in query)))


def _check(
    environment: Environment, origins: Mapping[str, str], *, emulated: bool, scheduled: bool
) -> None:
    """Refuse values that AWS would refuse later, or that must not be there."""
    if environment.architecture not in ARCHITECTURES:
        raise Refused(
            f"{origins['architecture']}: {environment.architecture!r} is not one of: "
            + ", ".join(ARCHITECTURES)
        )
    if not 2 <= environment.stop_timeout <= 120:
        raise Refused(
            f"{origins['stop_timeout']}: {environment.stop_timeout} is not within 2 to 120 seconds"
        )
    if environment.account and not re.fullmatch(r"\d{12}", environment.account):
        raise Refused(f"{origins['account']}: {environment.account!r} is not 12 digits")
    missing = [key for key in OF_SCHEDULE if not getattr(environment, key)]
    if missing and len(missing) < len(OF_SCHEDULE) and (scheduled or missing != ["schedule"]):
        given = next(origins[key] for key in OF_SCHEDULE if key not in missing)
        raise Refused(
            f"{given}: {missing[0]} is missing: a schedule needs all of {', '.join(OF_SCHEDULE)}"
        )
    if looks_secret("source_url", environment.source_url):
        raise Refused(
            f"{origins['source_url']}: it holds a password or a token, which a task definition "
            "would show",
            advice="write ${NAME} into the dataset file's `url`, and NAME into `secrets`",
        )
    for table in ("variables", "run_variables"):
        for name, value in getattr(environment, table).items():
            where = f"{origins[table]}: {name}"
            of_run = name in CREDENTIALS and table == "run_variables"
            if name in OWN_VARIABLES:
                raise Refused(f"{where}: this variable is set by the deploy tool")
            if of_run and not emulated:
                raise Refused(
                    f"{where}: only for an emulator (AWS_ENDPOINT_URL); on AWS the task role gives "
                    "the service its access"
                )
            if looks_secret(name, value) and not of_run:
                raise Refused(
                    f"{where}: it looks like a secret, and a task definition can be read by many; "
                    "for access to AWS there is the task role",
                    advice=f'secrets = {{ {name} = "the name of a secret in Secrets Manager" }}',
                )
    for name in environment.secrets.keys() & (OWN_VARIABLES | environment.variables.keys()):
        raise Refused(f"{origins['secrets']}: {name}: this variable is set elsewhere, too")
