-- stage
COPY (
SELECT
  CASE WHEN json_type(leaf_1) IN ('UBIGINT', 'BIGINT') AND value_1 IS NOT NULL THEN value_1 ELSE error('violation') END AS "id"
FROM (SELECT
  record."id" AS leaf_1, TRY_CAST(CAST(record."id" AS VARCHAR) AS INTEGER) AS value_1
FROM (SELECT unnest(CASE WHEN "body"."data"."the items" IS NOT NULL AND row_number() OVER () <= 1 THEN "body"."data"."the items" ELSE error('violation') END) AS record FROM read_json(['body.json'], format = 'unstructured', columns = {'data': 'STRUCT("the items" STRUCT("id" JSON)[])'}, maximum_object_size = 16777216, records = true) AS body))
) TO 'staged.parquet' (FORMAT parquet, COMPRESSION uncompressed);

-- profile
SELECT count(*), count(*) FILTER (WHERE "id" IS NULL), count(*) - count("id"), NULL, left(CAST(min("id") AS VARCHAR), 100), left(CAST(max("id") AS VARCHAR), 100) FROM read_parquet(['staged.parquet']);

-- publish
COPY (SELECT "id" FROM read_parquet('staged.parquet')) TO 'table.parquet' (FORMAT parquet, COMPRESSION snappy);

-- publish_empty
COPY (SELECT CAST('0' AS INTEGER) AS "id" FROM range(0)) TO 'empty.parquet' (FORMAT parquet, COMPRESSION snappy);

-- schema
SELECT name, repetition_type, duckdb_type, coalesce(num_children, 0) FROM parquet_schema('table.parquet') WHERE column_id > 0 ORDER BY column_id;

-- findings
SELECT name, path, expected, count(*), min_by({record: record, value: value}, record, 10)
FROM (
  SELECT record, unnest([
    CASE WHEN kinds[1] IS DISTINCT FROM 'OBJECT' THEN {name: '$', path: '$', value: coalesce(left(CAST(found[1] AS VARCHAR), 100), 'null'), expected: 'an object'} END,
    CASE WHEN kinds[1] = 'OBJECT' AND NOT len(list_filter(keys[1], lambda key: key IN ('id'))) = len(list_distinct(list_filter(keys[1], lambda key: key IN ('id')))) THEN {name: '$', path: '$', value: coalesce(left(CAST(found[1] AS VARCHAR), 100), 'null'), expected: 'an object without a repeated key'} END,
    CASE WHEN list_transform([NULLIF(found[2], 'null')], lambda leaf: leaf IS NOT NULL AND (json_type(leaf) IN ('UBIGINT', 'BIGINT') AND TRY_CAST(CAST(leaf AS VARCHAR) AS INTEGER) IS NOT NULL) IS NOT TRUE)[1] THEN {name: 'id', path: 'id', value: left(CAST(found[2] AS VARCHAR), 100), expected: 'a whole number from -2147483648 to 2147483647'} END,
    CASE WHEN (NULLIF(found[2], 'null')) IS NULL AND (kinds[1] IS DISTINCT FROM 'OBJECT') IS NOT TRUE THEN {name: 'id', path: 'id', value: left(CAST(found[2] AS VARCHAR), 100), expected: 'a whole number from -2147483648 to 2147483647'} END
  ], recursive := true) FROM (SELECT *, json_extract(element, ['', '/id']) AS found, json_type(element, ['']) AS kinds, json_keys(element, ['']) AS keys FROM (SELECT row_number() OVER () AS record, * FROM (SELECT series, unnest(CASE WHEN (coalesce(json_type(node, ''), 'NULL') IN ('OBJECT', 'NULL')) AND coalesce(len(list_filter(json_keys(node, ''), lambda key: key IN ('data'))) = len(list_distinct(list_filter(json_keys(node, ''), lambda key: key IN ('data')))), true) AND (coalesce(json_type(node, '/data'), 'NULL') IN ('OBJECT', 'NULL')) AND coalesce(len(list_filter(json_keys(node, '/data'), lambda key: key IN ('the items'))) = len(list_distinct(list_filter(json_keys(node, '/data'), lambda key: key IN ('the items')))), true) AND coalesce(json_type(json_extract(node, '/data/the items')), '') IN ('ARRAY') THEN json_extract(json_extract(node, '/data/the items'), '$[*]') ELSE CAST([] AS JSON[]) END) AS element FROM (SELECT json AS node, CAST(NULL AS VARCHAR) AS series FROM read_json_objects(['body.json'], format = 'unstructured', maximum_object_size = 16777216, filename = false)))))
)
WHERE name IS NOT NULL GROUP BY name, path, expected
ORDER BY min(record), name, path, expected;

-- presence
SELECT count(*), count(found[1]) FROM (SELECT *, json_extract(element, ['/id']) AS found, NULL AS kinds, NULL AS keys FROM (SELECT row_number() OVER () AS record, * FROM (SELECT series, unnest(CASE WHEN (coalesce(json_type(node, ''), 'NULL') IN ('OBJECT', 'NULL')) AND coalesce(len(list_filter(json_keys(node, ''), lambda key: key IN ('data'))) = len(list_distinct(list_filter(json_keys(node, ''), lambda key: key IN ('data')))), true) AND (coalesce(json_type(node, '/data'), 'NULL') IN ('OBJECT', 'NULL')) AND coalesce(len(list_filter(json_keys(node, '/data'), lambda key: key IN ('the items'))) = len(list_distinct(list_filter(json_keys(node, '/data'), lambda key: key IN ('the items')))), true) AND coalesce(json_type(json_extract(node, '/data/the items')), '') IN ('ARRAY') THEN json_extract(json_extract(node, '/data/the items'), '$[*]') ELSE CAST([] AS JSON[]) END) AS element FROM (SELECT json AS node, CAST(NULL AS VARCHAR) AS series FROM read_json_objects(['body.json'], format = 'unstructured', maximum_object_size = 16777216, filename = false)))));

-- wrapper at data."the items"
SELECT json_extract(node, '/data/the items') FROM (SELECT json AS node, CAST(NULL AS VARCHAR) AS series FROM read_json_objects(['body.json'], format = 'unstructured', maximum_object_size = 16777216, filename = false)) WHERE ((coalesce(json_type(node, ''), 'NULL') IN ('OBJECT', 'NULL')) AND coalesce(len(list_filter(json_keys(node, ''), lambda key: key IN ('data'))) = len(list_distinct(list_filter(json_keys(node, ''), lambda key: key IN ('data')))), true) AND (coalesce(json_type(node, '/data'), 'NULL') IN ('OBJECT', 'NULL')) AND coalesce(len(list_filter(json_keys(node, '/data'), lambda key: key IN ('the items'))) = len(list_distinct(list_filter(json_keys(node, '/data'), lambda key: key IN ('the items')))), true) AND coalesce(json_type(json_extract(node, '/data/the items')), '') IN ('ARRAY')) IS NOT TRUE;

