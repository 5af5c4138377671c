"""The tests of the other engine, run with Spark: the same violations, tables and schemas."""

from __future__ import annotations

from tests.service.test_schema import (  # noqa: F401
    test_the_schema_follows_from_the_dataset_whatever_the_records,
    test_the_schema_has_a_hash_that_the_records_do_not_change,
)
from tests.service.test_transform import (  # noqa: F401
    test_a_timestamp_is_the_instant_in_utc,
    test_an_object_is_taken_whole_beside_its_members,
    test_columns_and_rows_come_in_their_order,
    test_no_wrapped_record_is_an_empty_table,
    test_nothing_in_a_name_or_a_path_is_read_as_anything_else,
    test_values_are_taken_as_they_are,
    test_wrapped_records_are_found,
)
from tests.service.test_violations import *  # noqa: F403
