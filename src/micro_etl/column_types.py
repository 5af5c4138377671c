"""The column types, one row each: name, the engine's type, how a value is tested and converted.

In the SQL of a row, ``@`` is a value as JSON and ``#`` what the conversion makes of it. The text of
a value is as the engine writes it, without needless escapes, so that a test of the text is as good
as one of `json_type`, and takes a third of the time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Form(NamedTuple):
    """One way in which a value may be written.

    Attributes:
        expected: what a violation says should be there.
        test: SQL that is true where a value is written so.
        convert: SQL for the value of one that passes the test.
    """

    expected: str
    test: str
    convert: str


class SqlTypes(NamedTuple):
    """What other databases call the type of a column that they read from Parquet.

    Attributes:
        athena: in Athena, Hive and Trino's Hive tables.
        bigquery: in BigQuery.
        snowflake: in Snowflake.
        spark: in Spark.
    """

    athena: str
    bigquery: str
    snowflake: str
    spark: str


class ColumnType(NamedTuple):
    """A type of column.

    Attributes:
        name: as the dataset file writes it.
        sql: the engine's type.
        elsewhere: the type in other databases.
        form: how JSON writes a value.
        formats: the other forms, by the name that ``format`` gives them.
        zero: any value of the type, as text.
        is_ordered: its values have a least and a greatest.
        is_key: its values can be compared, so that they may be unique.
        needs_digits: the value is what the source wrote, digit for digit.
        element: the type of the elements of a list, else none.
    """

    name: str
    sql: str
    elsewhere: SqlTypes
    form: Form
    formats: Mapping[str, Form] = MappingProxyType({})
    zero: str = "0"
    is_ordered: bool = True
    is_key: bool = True
    needs_digits: bool = False
    element: ColumnType | None = None


_RAW = "CAST(@ AS VARCHAR)"
_TEXT = "json_extract_string(@, '$')"
_KIND = "json_type(@)"
_IS_STRING = f"""starts_with({_RAW}, '"')"""
_IS_WHOLE = f"{_KIND} IN ('UBIGINT', 'BIGINT')"

# RFC 3339, section 5.6, also without seconds and with a zone as in ISO 8601; at most microseconds,
# since a seventh digit would be dropped in silence.
_DAY = r"\d{4}-(0[1-9]|1[0-2])-[0-3]\d"
_TIME = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6}0*)?)?"
_ZONE = r"([Zz]|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)"
_YEARS = "# BETWEEN '0001-01-01 00:00:00Z' AND '9999-12-31 23:59:59.999999Z'"
_DIGITS = r"[+-]?(0|[1-9]\d*)"


def _timestamp(text: str) -> str:
    # In capitals where it has to be, which takes as long as the cast itself: 40 ns.
    cast = "TRY_CAST({} AS TIMESTAMP WITH TIME ZONE)"
    return f"coalesce({cast.format(text)}, {cast.format(f'upper({text})')})"


def _text(expected: str, pattern: str, sql: str, test: str = "# IS NOT NULL") -> Form:
    """The form of a value that stands in a string, as JSON would write it."""
    return Form(
        expected=f"a string that holds {expected}",
        test=f"{_IS_STRING} AND regexp_full_match({_TEXT}, '{pattern}') AND {test}",
        convert=f"TRY_CAST({_TEXT} AS {sql})",
    )


def _epoch(unit: str, micros: int) -> Form:
    number = f"TRY_CAST({_TEXT} AS BIGINT)"
    least, greatest = -62_135_596_800_000_000 // micros, 253_402_300_799_999_999 // micros
    return Form(
        expected=f"whole {unit} since 1970, a number or a string of digits",
        test=(
            f"({_IS_WHOLE} OR ({_IS_STRING} AND regexp_full_match({_TEXT}, '-?[0-9]+'))"
            f" OR ({_KIND} = 'DOUBLE' AND regexp_full_match({_TEXT}, '-?[0-9]+[.]0+')))"
            f" AND {number} BETWEEN {least} AND {greatest}"
        ),
        convert=(
            f"CASE WHEN {number} BETWEEN {least} AND {greatest} THEN"
            f" CAST(make_timestamp({number} * {micros}) AS TIMESTAMP WITH TIME ZONE) END"
        ),
    )


def _whole(name: str, sql: str, bits: int, elsewhere: SqlTypes) -> ColumnType:
    least, greatest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    expected = f"a whole number from {least} to {greatest}"
    return ColumnType(
        name=name,
        sql=sql,
        elsewhere=elsewhere,
        form=Form(expected, f"{_IS_WHOLE} AND # IS NOT NULL", f"TRY_CAST({_RAW} AS {sql})"),
        formats={"text": _text(expected, _DIGITS, sql)},
    )


_SIMPLE = (
    _whole("int32", "INTEGER", 32, SqlTypes("int", "INT64", "INTEGER", "INT")),
    _whole("int64", "BIGINT", 64, SqlTypes("bigint", "INT64", "BIGINT", "BIGINT")),
    ColumnType(
        name="float64",
        sql="DOUBLE",
        elsewhere=SqlTypes("double", "FLOAT64", "DOUBLE", "DOUBLE"),
        form=Form(
            "a finite number",
            f"{_KIND} IN ('DOUBLE', 'UBIGINT', 'BIGINT') AND isfinite(#)",
            f"TRY_CAST({_RAW} AS DOUBLE)",
        ),
        formats={
            "text": _text(
                "a finite number",
                rf"{_DIGITS}(\.\d+)?([eE][+-]?\d+)?",
                "DOUBLE",
                "isfinite(#)",
            )
        },
    ),
    ColumnType(
        name="string",
        sql="VARCHAR",
        elsewhere=SqlTypes("string", "STRING", "VARCHAR", "STRING"),
        form=Form("a string", _IS_STRING, _TEXT),
    ),
    ColumnType(
        name="boolean",
        sql="BOOLEAN",
        elsewhere=SqlTypes("boolean", "BOOL", "BOOLEAN", "BOOLEAN"),
        form=Form("true or false", f"{_RAW} IN ('true', 'false')", f"{_RAW} = 'true'"),
        formats={
            "text": Form(
                "a string that holds true or false",
                f"""{_RAW} IN ('"true"', '"false"')""",
                f"""{_RAW} = '"true"'""",
            )
        },
        zero="false",
    ),
    ColumnType(
        name="timestamp",
        sql="TIMESTAMP WITH TIME ZONE",
        elsewhere=SqlTypes("timestamp", "TIMESTAMP", "TIMESTAMP_LTZ", "TIMESTAMP"),
        form=Form(
            "a date and time with a zone, such as 2006-03-24T22:30:00.000Z",
            f"""regexp_full_match({_RAW}, '"{_DAY}[Tt ]{_TIME}{_ZONE}"') AND {_YEARS}""",
            _timestamp(_TEXT),
        ),
        formats={"epoch": _epoch("seconds", 1_000_000), "epoch_ms": _epoch("milliseconds", 1_000)},
        zero="1970-01-01",
    ),
    ColumnType(
        name="date",
        sql="DATE",
        elsewhere=SqlTypes("date", "DATE", "DATE", "DATE"),
        form=Form(
            "a date such as 2006-03-24",
            f"""regexp_full_match({_RAW}, '"{_DAY}"') AND # >= '0001-01-01'""",
            f"TRY_CAST({_TEXT} AS DATE)",
        ),
        zero="1970-01-01",
    ),
    ColumnType(
        name="json",
        sql="JSON",
        elsewhere=SqlTypes("string", "STRING", "VARCHAR", "STRING"),
        # The engine reads NaN, inf and the like, which JSON does not have; in a string they do no
        # harm.
        form=Form(
            "a JSON value without NaN or Infinity",
            rf"""NOT regexp_matches(regexp_replace({_RAW}, '"(\\.|[^"\\])*"', '', 'g'),"""
            " '(?i)nan|inf')",
            "@",
        ),
        zero="{}",
        is_ordered=False,
        is_key=False,
        needs_digits=True,
    ),
)
_TYPES: dict[str, ColumnType] = {one.name: one for one in _SIMPLE}


def type_names() -> tuple[str, ...]:
    """Name the types that need no parameters, in the order of the documentation."""
    return tuple(_TYPES)


def column_type(name: str) -> ColumnType | None:
    """Find the type of a name such as ``int32``, ``decimal(12,2)`` or ``date[]``, or none."""
    if name.endswith("[]"):
        element = column_type(name[:-2])
        return _list_of(element) if element and element.element is None else None
    found = re.fullmatch(r"decimal\(([1-9]\d?), ?(\d\d?)\)", name)
    if found:
        precision, scale = int(found[1]), int(found[2])
        return _decimal(precision, scale) if scale <= precision <= 38 else None
    return _TYPES.get(name)


def name_type(sql: str) -> str:
    """Name one of the engine's types as a dataset file does; one that none has keeps its name."""
    if sql.endswith("[]"):
        return f"{name_type(sql[:-2])}[]"
    if sql.startswith("DECIMAL("):
        return sql.lower()
    return next((one.name for one in _TYPES.values() if one.sql == sql), sql)


def with_timezone(kind: ColumnType, zone: str) -> Form:
    """The form of timestamps that are written without a zone, and stand in a fixed one."""
    offset = "+00:00" if zone == "UTC" else zone
    shown = "in UTC" if zone == "UTC" else f"at {zone}"
    return kind.form._replace(
        expected=f"a date and time without a zone, such as 2006-03-24T22:30:00.000 ({shown})",
        test=f"""regexp_full_match({_RAW}, '"{_DAY}[Tt ]{_TIME}"') AND {_YEARS}""",
        convert=_timestamp(f"({_TEXT} || '{offset}')"),
    )


def truncated(form: Form) -> Form:
    """The same form, with any number of digits after microseconds, which are dropped."""
    return form._replace(test=form.test.replace(r"\d{1,6}0*", r"\d+"))


def _decimal(precision: int, scale: int) -> ColumnType:
    sql = f"DECIMAL({precision},{scale})"
    fits_numeric = scale <= 9 and precision - scale <= 29  # more is a type of its own in BigQuery
    most = f"{precision} digits, {scale} of them decimals" if scale else f"{precision} digits"
    expected = f"a number of at most {most}"
    # What a value needs after the point: the digits that it has there, less its exponent.
    decimals = (
        r"length(rtrim(regexp_extract({0}, '\.(\d*)', 1), '0'))"
        r" - coalesce(TRY_CAST(regexp_extract({0}, '[eE]([+-]?\d+)', 1) AS INTEGER), 0)"
        rf" <= {scale}"
    )
    return ColumnType(
        name=f"decimal({precision},{scale})",
        sql=sql,
        elsewhere=SqlTypes(
            athena=sql.lower(),
            bigquery=f"{'NUMERIC' if fits_numeric else 'BIGNUMERIC'}({precision},{scale})",
            snowflake=f"NUMBER({precision},{scale})",
            spark=sql,
        ),
        form=Form(
            expected,
            f"{_KIND} IN ('DOUBLE', 'UBIGINT', 'BIGINT') AND {decimals.format(_RAW)}"
            " AND # IS NOT NULL",
            f"TRY_CAST({_RAW} AS {sql})",
        ),
        formats={
            "text": _text(
                expected,
                r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?",
                sql,
                f"{decimals.format(_TEXT)} AND # IS NOT NULL",
            )
        },
        needs_digits=True,
    )


def _list_of(element: ColumnType) -> ColumnType:
    """The type of lists; `micro_etl.table.values` applies the element's form to each element."""
    return ColumnType(
        name=f"{element.name}[]",
        sql=f"{element.sql}[]",
        elsewhere=SqlTypes(
            athena=f"array<{element.elsewhere.athena}>",
            bigquery=f"ARRAY<{element.elsewhere.bigquery}>",
            snowflake="ARRAY",
            spark=f"ARRAY<{element.elsewhere.spark}>",
        ),
        form=element.form._replace(expected=f"an array, each element {element.form.expected}"),
        formats={
            name: form._replace(expected=f"an array, each element {form.expected}")
            for name, form in element.formats.items()
        },
        zero="[]",
        is_ordered=False,
        is_key=False,
        needs_digits=element.needs_digits,
        element=element,
    )
