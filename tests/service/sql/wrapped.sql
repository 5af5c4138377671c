-- stage
COPY (
SELECT
  CASE WHEN json_type(leaf_1) IN ('UBIGINT', 'BIGINT') AND value_1 IS NOT NULL THEN value_1 ELSE error('violation') END AS "id"
FROM (SELECT
  record."id" AS leaf_1, TRY_CAST(CAST(record."id" AS VARCHAR) AS INTEGER) AS value_1
FROM (SELECT unnest(CASE WHEN "body"."data"."the items" IS NOT NULL AND row_number() OVER () = 1 THEN "body"."data"."the items" ELSE error('violation') END) AS record FROM read_json(['body.json'], format = 'unstructured', columns = {'data': 'STRUCT("the items" STRUCT("id" JSON)[])'}, maximum_object_size = 16777216, records = true) AS body))
) TO 'staged.parquet' (FORMAT parquet, COMPRESSION uncompressed);

-- profile
SELECT count(*), count(*) FILTER (WHERE "id" IS NULL), count(*) - count("id"), NULL, left(CAST(min("id") AS VARCHAR), 100), left(CAST(max("id") AS VARCHAR), 100) FROM read_parquet('staged.parquet');

-- publish
COPY (SELECT "id" FROM read_parquet('staged.parquet')) TO 'table.parquet' (FORMAT parquet, COMPRESSION snappy);

-- publish_empty
COPY (SELECT CAST('0' AS INTEGER) AS "id" FROM range(0)) TO 'empty.parquet' (FORMAT parquet, COMPRESSION snappy);

-- schema
SELECT name, repetition_type, duckdb_type FROM parquet_schema('table.parquet') WHERE column_id > 0 ORDER BY column_id;

-- findings
SELECT name, path, expected, count(*), min_by({record: record, value: left(value, 100)}, record, 10)
FROM (
  SELECT record, unnest([
    CASE WHEN json_type(element) IS DISTINCT FROM 'OBJECT' THEN {name: '$', path: '$', value: coalesce(CAST(element AS VARCHAR), 'null'), expected: 'an object'} END,
    CASE WHEN json_type(element) = 'OBJECT' AND NOT len(list_filter(json_keys(element), lambda key: key IN ('id'))) = len(list_distinct(list_filter(json_keys(element), lambda key: key IN ('id')))) THEN {name: '$', path: '$', value: coalesce(CAST(element AS VARCHAR), 'null'), expected: 'an object without a repeated key'} END,
    CASE WHEN json_type(json_extract(element, '/id')) <> 'NULL' AND (json_type(json_extract(element, '/id')) IN ('UBIGINT', 'BIGINT') AND TRY_CAST(CAST(json_extract(element, '/id') AS VARCHAR) AS INTEGER) IS NOT NULL) IS NOT TRUE THEN {name: 'id', path: 'id', value: CAST(json_extract(element, '/id') AS VARCHAR), expected: 'a whole number from -2147483648 to 2147483647'} END,
    CASE WHEN json_type(element) = 'OBJECT' AND coalesce(json_type(json_extract(element, '/id')), 'NULL') = 'NULL' THEN {name: 'id', path: 'id', value: CAST(json_extract(element, '/id') AS VARCHAR), expected: 'a whole number from -2147483648 to 2147483647'} END
  ], recursive := true) FROM (SELECT row_number() OVER () AS record, element FROM (SELECT unnest(CAST(json_extract(element, '/data/the items') AS JSON[])) AS element FROM read_json(['body.json'], format = 'unstructured', columns = {'element': 'JSON'}, maximum_object_size = 16777216, records = false)))
)
WHERE name IS NOT NULL GROUP BY name, path, expected
ORDER BY min(record), name, path, expected;

-- presence
SELECT count(*), count(json_extract(element, '/id')) FROM (SELECT row_number() OVER () AS record, element FROM (SELECT unnest(CAST(json_extract(element, '/data/the items') AS JSON[])) AS element FROM read_json(['body.json'], format = 'unstructured', columns = {'element': 'JSON'}, maximum_object_size = 16777216, records = false)));

-- wrapper
SELECT json_type(json_extract(element, '/data/the items')), left(CAST(json_extract(element, '/data/the items') AS VARCHAR), 100) FROM read_json(['body.json'], format = 'unstructured', columns = {'element': 'JSON'}, maximum_object_size = 16777216, records = false);

