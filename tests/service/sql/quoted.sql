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
SELECT count(*), count(*) FILTER (WHERE "select" IS NULL AND "it's; DROP ""x""" IS NULL AND "0" IS NULL), count(*) - count("select"), NULL, left(CAST(min("select") AS VARCHAR), 100), left(CAST(max("select") AS VARCHAR), 100), count(*) - count("it's; DROP ""x"""), NULL, left(CAST(min("it's; DROP ""x""") AS VARCHAR), 100), left(CAST(max("it's; DROP ""x""") AS VARCHAR), 100), count(*) - count("0"), NULL, left(CAST(min("0") AS VARCHAR), 100), left(CAST(max("0") AS VARCHAR), 100) FROM read_parquet(['staged.parquet']);

-- publish
COPY (SELECT CASE WHEN random() < 2 THEN "select" END AS "select", CASE WHEN random() < 2 THEN "it's; DROP ""x""" END AS "it's; DROP ""x""", "0" FROM read_parquet('staged.parquet')) TO 'table.parquet' (FORMAT parquet, COMPRESSION snappy);

-- publish_empty
COPY (SELECT CAST(NULL AS INTEGER) AS "select", CAST(NULL AS VARCHAR) AS "it's; DROP ""x""", CAST('false' AS BOOLEAN) AS "0" FROM range(0)) TO 'empty.parquet' (FORMAT parquet, COMPRESSION snappy);

-- schema
SELECT name, repetition_type, duckdb_type, coalesce(num_children, 0) FROM parquet_schema('table.parquet') WHERE column_id > 0 ORDER BY column_id;

-- findings
SELECT name, path, expected, count(*), min_by({record: record, value: value}, record, 10)
FROM (
  SELECT record, unnest([
    CASE WHEN kinds[1] IS DISTINCT FROM 'OBJECT' THEN {name: '$', path: '$', value: coalesce(left(CAST(found[1] AS VARCHAR), 100), 'null'), expected: 'an object'} END,
    CASE WHEN kinds[1] = 'OBJECT' AND NOT len(list_filter(keys[1], lambda key: key IN ('0', 'a', 'select'))) = len(list_distinct(list_filter(keys[1], lambda key: key IN ('0', 'a', 'select')))) THEN {name: '$', path: '$', value: coalesce(left(CAST(found[1] AS VARCHAR), 100), 'null'), expected: 'an object without a repeated key'} END,
    CASE WHEN kinds[2] NOT IN ('OBJECT', 'NULL') THEN {name: 'a', path: 'a', value: left(CAST(found[2] AS VARCHAR), 100), expected: 'an object'} END,
    CASE WHEN kinds[2] = 'OBJECT' AND NOT len(list_filter(keys[2], lambda key: key IN ('b.c'))) = len(list_distinct(list_filter(keys[2], lambda key: key IN ('b.c')))) THEN {name: 'a', path: 'a', value: left(CAST(found[2] AS VARCHAR), 100), expected: 'an object without a repeated key'} END,
    CASE WHEN kinds[3] NOT IN ('OBJECT', 'NULL') THEN {name: 'a."b.c"', path: 'a."b.c"', value: left(CAST(found[3] AS VARCHAR), 100), expected: 'an object'} END,
    CASE WHEN kinds[3] = 'OBJECT' AND NOT len(list_filter(keys[3], lambda key: key IN ('d/~e''f'))) = len(list_distinct(list_filter(keys[3], lambda key: key IN ('d/~e''f')))) THEN {name: 'a."b.c"', path: 'a."b.c"', value: left(CAST(found[3] AS VARCHAR), 100), expected: 'an object without a repeated key'} END,
    CASE WHEN kinds[4] NOT IN ('OBJECT', 'NULL') THEN {name: '0', path: '0', value: left(CAST(found[4] AS VARCHAR), 100), expected: 'an object'} END,
    CASE WHEN kinds[4] = 'OBJECT' AND NOT len(list_filter(keys[4], lambda key: key IN ('0'))) = len(list_distinct(list_filter(keys[4], lambda key: key IN ('0')))) THEN {name: '0', path: '0', value: left(CAST(found[4] AS VARCHAR), 100), expected: 'an object without a repeated key'} END,
    CASE WHEN list_transform([NULLIF(found[5], 'null')], lambda leaf: leaf IS NOT NULL AND (json_type(leaf) IN ('UBIGINT', 'BIGINT') AND TRY_CAST(CAST(leaf AS VARCHAR) AS INTEGER) IS NOT NULL) IS NOT TRUE)[1] THEN {name: 'select', path: 'select', value: left(CAST(found[5] AS VARCHAR), 100), expected: 'a whole number from -2147483648 to 2147483647'} END,
    CASE WHEN list_transform([NULLIF(found[6], 'null')], lambda leaf: leaf IS NOT NULL AND (starts_with(CAST(leaf AS VARCHAR), '"')) IS NOT TRUE)[1] THEN {name: 'it''s; DROP "x"', path: 'a."b.c".d/~e''f', value: left(CAST(found[6] AS VARCHAR), 100), expected: 'a string'} END,
    CASE WHEN list_transform([NULLIF(found[7], 'null')], lambda leaf: leaf IS NOT NULL AND (CAST(leaf AS VARCHAR) IN ('true', 'false')) IS NOT TRUE)[1] THEN {name: '0', path: '0.0', value: left(CAST(found[7] AS VARCHAR), 100), expected: 'true or false'} END,
    CASE WHEN (NULLIF(found[7], 'null')) IS NULL AND (kinds[1] IS DISTINCT FROM 'OBJECT') IS NOT TRUE AND (kinds[4] NOT IN ('OBJECT', 'NULL')) IS NOT TRUE THEN {name: '0', path: '0.0', value: left(CAST(found[7] AS VARCHAR), 100), expected: 'true or false'} END
  ], recursive := true) FROM (SELECT *, json_extract(element, ['', '/a', '/a/b.c', '/0', '/select', '/a/b.c/d~1~0e''f', '/0/0']) AS found, json_type(element, ['', '/a', '/a/b.c', '/0']) AS kinds, json_keys(element, ['', '/a', '/a/b.c', '/0']) AS keys FROM (SELECT row_number() OVER () AS record, * FROM (SELECT node AS element, series FROM (SELECT json AS node, CAST(NULL AS VARCHAR) AS series FROM read_json_objects(['body.json'], format = 'array', maximum_object_size = 16777216, filename = false)))))
)
WHERE name IS NOT NULL GROUP BY name, path, expected
ORDER BY min(record), name, path, expected;

-- presence
SELECT count(*), count(found[1]), count(found[2]), count(found[3]) FROM (SELECT *, json_extract(element, ['/select', '/a/b.c/d~1~0e''f', '/0/0']) AS found, NULL AS kinds, NULL AS keys FROM (SELECT row_number() OVER () AS record, * FROM (SELECT node AS element, series FROM (SELECT json AS node, CAST(NULL AS VARCHAR) AS series FROM read_json_objects(['body.json'], format = 'array', maximum_object_size = 16777216, filename = false)))));

