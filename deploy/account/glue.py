"""Builds the Glue table of a dataset, by which Athena, EMR and Glue find what is published."""

import re
from collections.abc import Sequence
from typing import Any

from deploy.environment import Environment
from deploy.outcome import Refused

HIVE_TYPES = {"int32": "int", "int64": "bigint", "float64": "double", "json": "string"}
"""What Glue calls the types of a dataset file, where the name is another."""

PARQUET = "org.apache.hadoop.hive.ql.io.parquet"


def glue_table(item: Environment, each: Sequence[Environment]) -> dict[str, Any]:
    """The resource of a dataset's table, in an environment that publishes each of some.

    Raises:
        Refused: the table's folder holds something else, or the dataset's file is not here.
    """
    folder, _, _ = item.key.rpartition("/")
    others = [other.key for other in each if other.key != item.key]
    if not folder or any(f"{other}/".startswith(f"{folder}/") for other in others):
        raise Refused(
            f"glue_database is {item.glue_database} and key {item.key}; a Glue table is a folder, "
            f"so the key should be in one of its own, such as {item.dataset}/{item.dataset}.parquet"
        )
    if item.dataset_file is None:
        raise Refused(
            f"glue_database is {item.glue_database}, and dataset {item.dataset} is not in "
            "datasets/; its columns are in its file, which has to be there"
        )
    name = table_name(item)
    same = [
        other.dataset
        for other in each
        if other.glue_database == item.glue_database and table_name(other) == name
    ]
    if len(same) > 1:
        raise Refused(
            f"{' and '.join(same)} would both be table {name} of glue_database "
            f"{item.glue_database}; give one another database, or its file another name"
        )
    dataset = item.read_dataset()
    return {
        "Type": "AWS::Glue::Table",
        "Properties": {
            "CatalogId": {"Ref": "AWS::AccountId"},
            "DatabaseName": item.glue_database,
            "TableInput": {
                "Name": name,
                "Description": dataset.get("description", ""),
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {"classification": "parquet"},
                "StorageDescriptor": {
                    "Location": f"s3://{item.bucket}/{folder}/",
                    "Columns": [
                        {"Name": name, "Type": hive_type(column["type"])}
                        for name, column in dataset["columns"].items()
                    ],
                    "InputFormat": f"{PARQUET}.MapredParquetInputFormat",
                    "OutputFormat": f"{PARQUET}.MapredParquetOutputFormat",
                    "SerdeInfo": {"SerializationLibrary": f"{PARQUET}.serde.ParquetHiveSerDe"},
                },
            },
        },
    }


def table_name(item: Environment) -> str:
    """What a dataset's table is called: Glue takes small letters, digits and `_`."""
    return re.sub(r"\W", "_", item.dataset_name.lower())


def hive_type(name: str) -> str:
    """Glue's name of a dataset file's type, also of a list or a decimal."""
    element = name.removesuffix("[]")
    kind = HIVE_TYPES.get(element, element)
    return f"array<{kind}>" if element != name else kind
