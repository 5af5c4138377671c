-- stage
COPY (
SELECT
  CASE WHEN leaf_1 IS NULL THEN NULL WHEN json_type(leaf_1) IN ('UBIGINT', 'BIGINT') AND value_1 IS NOT NULL THEN value_1 ELSE error('violation') END AS "select",
  CASE WHEN leaf_2 IS NULL THEN NULL WHEN starts_with(CAST(leaf_2 AS VARCHAR), '"') THEN value_2 ELSE error('violation') END AS "it's; DROP ""x""",
  CASE WHEN CAST(leaf_3 AS VARCHAR) IN ('true', 'false') THEN value_3 ELSE error('violation') END AS "0"
FROM (SELECT
  record."select" AS leaf_1, TRY_CAST(CAST(record."select" AS VARCHAR) AS INTEGER) AS value_1,
  record."a"."b.c"."d/~e'f" AS leaf_2, json_extract_string(record."a"."b.c"."d/~e'f", '$') AS value_2,
  record."0"."0" AS leaf_3, CAST(record."0"."0" AS VARCHAR) = 'true' AS value_3
FROM read_json(['body.json'], format = 'array', columns = {'select': 'JSON', 'a': 'STRUCT("b.c" STRUCT("d/~e''f" JSON))', '0': 'STRUCT("0" JSON)'}, maximum_object_size = 16777216, records = true) AS record)
) TO 'staged.parquet' (FORMAT parquet, COMPRESSION uncompressed);

-- profile
SELECT count(*), count(*) FILTER (WHERE "select" IS NULL AND "it's; DROP ""x""" IS NULL AND "0" IS NULL), count(*) - count("select"), NULL, left(CAST(min("select") AS VARCHAR), 100), left(CAST(max("select") AS VARCHAR), 100), count(*) - count("it's; DROP ""x"""), NULL, left(CAST(min("it's; DROP ""x""") AS VARCHAR), 100), left(CAST(max("it's; DROP ""x""") AS VARCHAR), 100), count(*) - count("0"), NULL, left(CAST(min("0") AS VARCHAR), 100), left(CAST(max("0") AS VARCHAR), 100) FROM read_parquet('staged.parquet');

-- publish
COPY (SELECT CASE WHEN random() < 2 THEN "select" END AS "select", CASE WHEN random() < 2 THEN "it's; DROP ""x""" END AS "it's; DROP ""x""", "0" FROM read_parquet('staged.parquet')) TO 'table.parquet' (FORMAT parquet, COMPRESSION snappy);

-- publish_empty
COPY (SELECT CAST(NULL AS INTEGER) AS "select", CAST(NULL AS VARCHAR) AS "it's; DROP ""x""", CAST('false' AS BOOLEAN) AS "0" FROM range(0)) TO 'empty.parquet' (FORMAT parquet, COMPRESSION snappy);

-- schema
SELECT name, repetition_type, duckdb_type FROM parquet_schema('table.parquet') WHERE column_id > 0 ORDER BY column_id;

-- findings
SELECT name, path, expected, count(*), min_by({record: record, value: left(value, 100)}, record, 10)
FROM (
  SELECT record, unnest([
    CASE WHEN json_type(element) IS DISTINCT FROM 'OBJECT' THEN {name: '$', path: '$', value: coalesce(CAST(element AS VARCHAR), 'null'), expected: 'an object'} END,
    CASE WHEN json_type(element) = 'OBJECT' AND NOT len(list_filter(json_keys(element), lambda key: key IN ('0', 'a', 'select'))) = len(list_distinct(list_filter(json_keys(element), lambda key: key IN ('0', 'a', 'select')))) THEN {name: '$', path: '$', value: coalesce(CAST(element AS VARCHAR), 'null'), expected: 'an object without a repeated key'} END,
    CASE WHEN json_type(json_extract(element, '/0')) NOT IN ('OBJECT', 'NULL') THEN {name: '0', path: '0', value: CAST(json_extract(element, '/0') AS VARCHAR), expected: 'an object'} END,
    CASE WHEN json_type(json_extract(element, '/0')) = 'OBJECT' AND NOT len(list_filter(json_keys(json_extract(element, '/0')), lambda key: key IN ('0'))) = len(list_distinct(list_filter(json_keys(json_extract(element, '/0')), lambda key: key IN ('0')))) THEN {name: '0', path: '0', value: CAST(json_extract(element, '/0') AS VARCHAR), expected: 'an object without a repeated key'} END,
    CASE WHEN json_type(json_extract(element, '/a')) NOT IN ('OBJECT', 'NULL') THEN {name: 'a', path: 'a', value: CAST(json_extract(element, '/a') AS VARCHAR), expected: 'an object'} END,
    CASE WHEN json_type(json_extract(element, '/a')) = 'OBJECT' AND NOT len(list_filter(json_keys(json_extract(element, '/a')), lambda key: key IN ('b.c'))) = len(list_distinct(list_filter(json_keys(json_extract(element, '/a')), lambda key: key IN ('b.c')))) THEN {name: 'a', path: 'a', value: CAST(json_extract(element, '/a') AS VARCHAR), expected: 'an object without a repeated key'} END,
    CASE WHEN json_type(json_extract(element, '/a/b.c')) NOT IN ('OBJECT', 'NULL') THEN {name: 'a."b.c"', path: 'a."b.c"', value: CAST(json_extract(element, '/a/b.c') AS VARCHAR), expected: 'an object'} END,
    CASE WHEN json_type(json_extract(element, '/a/b.c')) = 'OBJECT' AND NOT len(list_filter(json_keys(json_extract(element, '/a/b.c')), lambda key: key IN ('d/~e''f'))) = len(list_distinct(list_filter(json_keys(json_extract(element, '/a/b.c')), lambda key: key IN ('d/~e''f')))) THEN {name: 'a."b.c"', path: 'a."b.c"', value: CAST(json_extract(element, '/a/b.c') AS VARCHAR), expected: 'an object without a repeated key'} END,
    CASE WHEN json_type(json_extract(element, '/select')) <> 'NULL' AND (json_type(json_extract(element, '/select')) IN ('UBIGINT', 'BIGINT') AND TRY_CAST(CAST(json_extract(element, '/select') AS VARCHAR) AS INTEGER) IS NOT NULL) IS NOT TRUE THEN {name: 'select', path: 'select', value: CAST(json_extract(element, '/select') AS VARCHAR), expected: 'a whole number from -2147483648 to 2147483647'} END,
    CASE WHEN json_type(json_extract(element, '/a/b.c/d~1~0e''f')) <> 'NULL' AND (starts_with(CAST(json_extract(element, '/a/b.c/d~1~0e''f') AS VARCHAR), '"')) IS NOT TRUE THEN {name: 'it''s; DROP "x"', path: 'a."b.c".d/~e''f', value: CAST(json_extract(element, '/a/b.c/d~1~0e''f') AS VARCHAR), expected: 'a string'} END,
    CASE WHEN json_type(json_extract(element, '/0/0')) <> 'NULL' AND (CAST(json_extract(element, '/0/0') AS VARCHAR) IN ('true', 'false')) IS NOT TRUE THEN {name: '0', path: '0.0', value: CAST(json_extract(element, '/0/0') AS VARCHAR), expected: 'true or false'} END,
    CASE WHEN json_type(element) = 'OBJECT' AND coalesce(json_type(json_extract(element, '/0/0')), 'NULL') = 'NULL' AND coalesce(json_type(json_extract(element, '/0')), 'NULL') IN ('OBJECT', 'NULL') THEN {name: '0', path: '0.0', value: CAST(json_extract(element, '/0/0') AS VARCHAR), expected: 'true or false'} END
  ], recursive := true) FROM (SELECT row_number() OVER () AS record, element FROM read_json(['body.json'], format = 'array', columns = {'element': 'JSON'}, maximum_object_size = 16777216, records = false))
)
WHERE name IS NOT NULL GROUP BY name, path, expected
ORDER BY min(record), name, path, expected;

-- presence
SELECT count(*), count(json_extract(element, '/select')), count(json_extract(element, '/a/b.c/d~1~0e''f')), count(json_extract(element, '/0/0')) FROM (SELECT row_number() OVER () AS record, element FROM read_json(['body.json'], format = 'array', columns = {'element': 'JSON'}, maximum_object_size = 16777216, records = false));

