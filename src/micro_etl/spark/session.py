"""Get a Spark session, or say in one line what is missing for one."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from micro_etl.errors import ConfigError, MachineError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_HOST = "127.0.0.1"
_SHOWN = 300
_SUBMITTED = "PYSPARK_GATEWAY_PORT"
"""Set by spark-submit, which EMR and Glue start programs with: then Spark runs already."""


def missing(environ: Mapping[str, str] = os.environ) -> str | None:
    """What this machine lacks for Spark, or none."""
    for module in ("pyspark", "pyarrow", "pandas"):
        if importlib.util.find_spec(module) is None:
            return f"{module}: pip install '.[spark]' in a clone"
    home = environ.get("JAVA_HOME")
    java = Path(home) / "bin" / "java" if home else shutil.which("java", path=environ.get("PATH"))
    if _SUBMITTED not in environ and not (java and Path(java).is_file()):
        where = (
            f"JAVA_HOME is {home}, which has no bin/java" if home else "there is no java in PATH"
        )
        return f"Java 17 or later: {where}"
    return None


def refuse_without_spark(environ: Mapping[str, str] = os.environ) -> None:
    """Refuse to go on where Spark can't be used; to be called before the engine is imported.

    Raises:
        ConfigError: says what is missing and how to install it.
    """
    lacking = missing(environ)
    if lacking:
        raise ConfigError(f"ENGINE is spark, which needs {lacking}")


def open_session(scratch: Path, *, environ: Mapping[str, str] = os.environ) -> SparkSession:
    """The session that this program was submitted to, or one on all cores of this machine.

    Args:
        scratch: a folder for all that Spark writes on this machine; the caller removes it.
        environ: tells whether this program was submitted.

    Raises:
        ConfigError: Spark can't start.
    """
    # About versions of libraries that its other parts need.
    warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")
    from pyspark.sql import SparkSession

    if _SUBMITTED not in environ and SparkSession.getActiveSession() is None:
        _start(scratch)
    builder = SparkSession.builder.appName("micro-etl")
    return builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()


@contextmanager
def spark_errors() -> Iterator[None]:
    """Turn what Spark says where it gave up into an error of ours.

    Any other exception that a task raised is left as it is: tasks return what they foresee.

    Raises:
        MachineError: a task, or Spark itself, was ended or had no memory.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PythonException

    try:
        yield
    except PythonException as error:
        if "MemoryError" not in str(error):
            raise
        raise MachineError("a task of Spark is out of memory; give its worker more") from error
    except (Py4JError, ConnectionError) as error:
        reasons = re.findall(r"(?:Exception|Error): ([^\n]*?)(?:\. |\.?\n)", f"{error}\n")
        reason = reasons[-1] if reasons else "its Java machine has ended"
        raise MachineError(
            f"Spark gave up: {reason}; it should have more memory, or not be ended"
        ) from error


def _start(scratch: Path) -> None:
    """Start Spark in local mode, with everything that it writes in one folder.

    Raises:
        ConfigError: its Java machine ended at once.
    """
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkRuntimeError
    from pyspark.java_gateway import launch_gateway

    tempfile.tempdir = os.environ["TMPDIR"] = str(scratch)
    os.environ["SPARK_LOCAL_IP"] = _HOST
    os.environ["PYSPARK_PYTHON"] = sys.executable  # the tasks import this package
    settings = {
        "spark.master": "local[*]",
        "spark.app.name": "micro-etl",
        "spark.driver.bindAddress": _HOST,
        "spark.driver.host": _HOST,
        "spark.driver.extraJavaOptions": f'"-Djava.io.tmpdir={scratch}" -XX:-UsePerfData',
        "spark.local.dir": str(scratch),
        "spark.log.level": "ERROR",
        "spark.ui.enabled": "false",
    }
    conf, log = SparkConf(), scratch / "spark.log"
    conf.setAll(list(settings.items()))
    with log.open("wb") as said:  # else it is on standard error, among what this program says
        try:
            gateway = launch_gateway(conf, {"stdout": said, "stderr": said})
        except PySparkRuntimeError as error:
            why = " ".join(log.read_text("utf-8", "replace").split())[:_SHOWN]
            raise ConfigError(
                f"ENGINE is spark, which can't start; it needs Java 17 or later: {why}"
            ) from error
    context = SparkContext(conf=conf, gateway=gateway)
    # It takes Spark's own counts, which nothing here reads. Where a stop ends the Java machine, it
    # meets the end of its connection, and would write a traceback on standard error.
    context._accumulatorServer.handle_error = lambda *_: None
