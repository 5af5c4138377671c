"""Environment files: the AWS resources that a deploy uses, and the datasets that it publishes."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from deploy.outcome import Refused

ROOT = Path(__file__).parent.parent
FOLDER = Path(__file__).parent / "environments"
DEFAULT = "assessment"
CONTAINER = "micro-etl"
ARCHITECTURES = {"X86_64": "amd64", "ARM64": "arm64"}
"""What ECS calls an architecture, and what container engines call it."""

SECRET_WORD = re.compile(
    r"secrets?|.*passw(or)?d|passphrase|pass|.*pwd|token|credentials?|auth|authorization|bearer|jwt"
    r"|(api|access|private|secret|signing|encryption|ssh|account|storage|subscription) ?key|cookie"
    r"|(api|access|auth) tokens|connection string"
)
"""What the last word, or the last two, of a secret's name is."""
SECRET_VALUE = re.compile(
    r"(?i:basic|bearer) \S{6}|-----BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}|gh[opsru]_\w{20}"
    r"|sk_live_|xox[abprs]-|eyJ[\w-]+\.[\w-]+\.|(?i:password|pwd|accountkey) ?=\S"
    r"|(^|//)[^/@\s:]+:[^/@\s]+@|(?i:https?)://[^/@\s]+@|[#&]access_token="
)
"""What a secret's value has: the marks of the issuers, or a user before a host."""

OWN_VARIABLES = {"AWS_REGION", "S3_BUCKET", "S3_KEY", "DATASET", "RUN_ID", "LOG_FORMAT"}
"""Variables that the tool sets itself; `SOURCE_URL` has a key of its own too."""

LONGEST_FAMILY = 255
REQUIRED = ("cluster", "repository", "bucket", "key", "log_group", "subnets", "security_groups",
            "family")  # fmt: skip
EXPRESSION = re.compile(r"(rate|cron|at)\(.+\)")
AN_EXPRESSION = "like rate(1 day) or cron(0 6 * * ? *)"
OF_SCHEDULE = ("schedule_group", "schedule_role", "schedule_queue")
OF_DATASET = ("key", "source_url", "schedule", "cpu", "memory", "variables", "run_variables",
              "secrets", "glue_database")  # fmt: skip
"""The keys of a `[datasets.NAME]` table."""
NOT_INHERITED: dict[str, Any] = {"key": "", "source_url": "", "secrets": {}, "glue_database": ""}
"""What a table does not take from the top of the file, which has it for its own dataset."""


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
    glue_database: str = ""
    github_role: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    run_variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    datasets: tuple[Environment, ...] = ()

    def each(self) -> tuple[Environment, ...]:
        """The environment once for each dataset that it publishes."""
        return self.datasets or (self,)

    @property
    def dataset_file(self) -> Path | None:
        """The dataset's file, where it is one of the project's."""
        own, bundled = ROOT / "datasets", ROOT / "src" / "micro_etl" / "datasets"
        name = f"{self.dataset}.toml"
        places = (own / name, bundled / name, ROOT / self.dataset)
        # Path.is_file raises for a name that is too long.
        return next((file for file in places if os.path.isfile(file)), None)  # noqa: PTH113

    def read_dataset(self) -> dict[str, Any]:
        """The dataset's file; empty where it is none of the project's, as for a URL.

        Raises:
            Refused: it is not TOML, or has no name.
        """
        file = self.dataset_file
        if file is None:
            return {}
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise Refused(f"{file}: not TOML: {error}") from None
        if not isinstance(content.get("name"), str):
            raise Refused(f"{file}: name: missing, or not a string")
        return content

    @property
    def dataset_name(self) -> str:
        """The dataset as its own file names it, and so as the service's metrics do."""
        return str(self.read_dataset().get("name", Path(self.dataset).stem))


TYPES = {item.name: str(item.type).partition("[")[0] for item in fields(Environment)}
KINDS: dict[str, tuple[type, str]] = {
    "str": (str, "a string"),
    "bool": (bool, "true or false"),
    "int": (int, "a whole number"),
    "tuple": (list, "a list of strings"),
    "Mapping": (dict, "a table of strings"),
}
"""What TOML has for the type of a key, and what a user calls it."""


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
    except ValueError as error:
        raise Refused(f"{path}: not TOML: {error}") from None
    return parse(content, name=path.stem, source=str(path), environ=environ)


def parse(
    content: Mapping[str, Any], *, name: str, source: str, environ: Mapping[str, str]
) -> Environment:
    """Turn a file's content and the `DEPLOY_…` variables into an environment."""
    tables = content.get("datasets", {})
    if not isinstance(tables, Mapping):
        raise Refused(f"{source}: datasets: not a table; each dataset is one, [datasets.NAME]")
    keys = TYPES.keys() - {"name", "datasets"}
    given = {key: value for key, value in content.items() if key != "datasets"}
    origins = {key: f"{source}: {key}" for key in keys}
    for key in keys:
        variable = f"DEPLOY_{key.upper()}"
        if variable in environ:
            origins[key], given[key] = variable, _from_text(environ[variable], TYPES[key])
    values = _checked(given, known=keys, origins=origins, source=f"{source}: ")
    for key in REQUIRED:
        if not values.get(key) and not (key == "key" and tables):
            variable = f"DEPLOY_{key.upper()}"
            raise Refused(f"{source}: {key}: missing or empty; set it there or as {variable}")
    environment = _sound(Environment(name=name, **values), origins)
    datasets = {environment.dataset: environment} if environment.key and tables else {}
    for table, settings in tables.items():
        where = f"{source}: datasets.{table}"
        if not re.fullmatch(r"[A-Za-z0-9_-]+", table) or not isinstance(settings, Mapping):
            raise Refused(f"{where}: not a table whose name is letters, digits, `_` and `-`")
        if table in datasets:
            raise Refused(f"{where}: {table} is also the dataset of the file's top; keep one")
        inside = origins | {key: f"{where}.{key}" for key in OF_DATASET} | {"family": where}
        own = _checked(settings, known=OF_DATASET, origins=inside, source=f"{where}.")
        for key in ("variables", "run_variables"):
            own[key] = {**getattr(environment, key), **own.get(key, {})}
        of_table = {"dataset": table, "family": f"{environment.family}-{table}"}
        found = _sound(replace(environment, **NOT_INHERITED | own | of_table), inside)
        found = replace(found, key=found.key or f"{found.dataset_name}.parquet")
        for other, one in datasets.items():
            if one.key == found.key:
                raise Refused(
                    f"{where}: key: {found.key} is also that of {other}; each needs its own"
                )
            if one.dataset_name == found.dataset_name:
                raise Refused(
                    f"{where}: its file says name = {found.dataset_name!r}, like that of {other}; "
                    "metrics and alarms go by it, so each needs its own"
                )
        datasets[table] = found
    return replace(environment, datasets=tuple(datasets.values()))


def _checked(
    given: Mapping[str, Any], *, known: Collection[str], origins: Mapping[str, str], source: str
) -> dict[str, Any]:
    """TOML values as the types of their fields; refuses unknown keys and other types."""
    values = {}
    for key, value in given.items():
        if key not in known:
            raise Refused(f"{source}{key}: no such key; known are: {', '.join(sorted(known))}")
        kind, words = KINDS[TYPES[key]]
        inside = value.values() if isinstance(value, dict) else value if kind is list else ()
        if type(value) is not kind or not all(isinstance(item, str) for item in inside):
            # A table's values may be secret, so they are not repeated.
            shown = (
                "its value"
                if TYPES[key] == "Mapping" or key in ("source_url", "dataset")
                else repr(value)
            )
            raise Refused(f"{origins[key]}: {shown} is not {words}")
        values[key] = tuple(value) if isinstance(value, list) else value
    return values


def _from_text(text: str, kind: str) -> Any:
    """A variable's text as a value: a string as it is, anything else as in the file."""
    if kind == "str":
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # which has not the type of the key


def looks_secret(name: str, value: str) -> bool:
    """Tell whether a variable looks like a secret: by its name, its value, or its URL's query."""
    if _names_secret(name) or SECRET_VALUE.search(value):
        return True
    try:
        query = parse_qsl(urlsplit(value).query) if "://" in value else []
    except ValueError:
        return False
    return any(_names_secret(key) or key.lower() in {"key", "sig"} for key, _ in query)


def _names_secret(name: str) -> bool:
    """Judge a name by its last words, however they are joined, without a number behind them."""
    words = re.findall(
        r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", re.sub(r"[_-](v?\d+|id)$", "", name, flags=re.I)
    )
    last = [word.lower() for word in words[-2:]]
    return any(SECRET_WORD.fullmatch(text) for text in (" ".join(last), *last[-1:]))


def _sound(environment: Environment, origins: Mapping[str, str]) -> Environment:
    """Refuse what AWS would not refuse, or only in the middle of a deploy."""
    if environment.architecture not in ARCHITECTURES:
        raise Refused(
            f"{origins['architecture']}: {environment.architecture!r} is not one of: "
            + ", ".join(ARCHITECTURES)
        )
    if len(environment.family) > LONGEST_FAMILY:
        raise Refused(
            f"{origins['family']}: its family has {len(environment.family)} characters; ECS takes "
            f"{LONGEST_FAMILY} at most"
        )
    if environment.schedule and not EXPRESSION.fullmatch(environment.schedule):
        raise Refused(f"{origins['schedule']}: {environment.schedule!r} is not {AN_EXPRESSION}")
    missing = [key for key in OF_SCHEDULE if not getattr(environment, key)]
    if environment.schedule and missing:
        needs = f"a schedule needs all of {', '.join(OF_SCHEDULE)}"
        raise Refused(f"{origins['schedule']}: {missing[0]} is missing: {needs}")
    for key in ("source_url", "dataset"):
        if looks_secret(key, getattr(environment, key)):
            raise Refused(
                f"{origins[key]}: it holds a password or a token, which a task definition would "
                "show",
                advice="write ${NAME} into the dataset file's `url`, and NAME into `secrets`",
            )
    for table in ("variables", "run_variables"):
        for name, value in getattr(environment, table).items():
            where = f"{origins[table]}: {name}"
            if name in OWN_VARIABLES:
                raise Refused(f"{where}: this variable is set by the deploy tool")
            if looks_secret(name, value):
                raise Refused(
                    f"{where}: it looks like a secret, and a task definition can be read by many; "
                    "for access to AWS there is the task role",
                    advice=f'secrets = {{ {name} = "the name of a secret in Secrets Manager" }}',
                )
    for name in environment.secrets.keys() & (OWN_VARIABLES | environment.variables.keys()):
        raise Refused(f"{origins['secrets']}: {name}: this variable is set elsewhere, too")
    return environment
