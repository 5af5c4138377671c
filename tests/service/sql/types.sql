-- stage
COPY (
SELECT
  CASE WHEN leaf_1 IS NULL THEN NULL WHEN json_type(leaf_1) IN ('UBIGINT', 'BIGINT') AND value_1 IS NOT NULL THEN value_1 ELSE error('violation') END AS "int32",
  CASE WHEN leaf_2 IS NULL THEN NULL WHEN json_type(leaf_2) IN ('UBIGINT', 'BIGINT') AND value_2 IS NOT NULL THEN value_2 ELSE error('violation') END AS "int64",
  CASE WHEN leaf_3 IS NULL THEN NULL WHEN json_type(leaf_3) IN ('DOUBLE', 'UBIGINT', 'BIGINT') AND isfinite(value_3) THEN value_3 ELSE error('violation') END AS "float64",
  CASE WHEN leaf_4 IS NULL THEN NULL WHEN starts_with(CAST(leaf_4 AS VARCHAR), '"') THEN value_4 ELSE error('violation') END AS "string",
  CASE WHEN leaf_5 IS NULL THEN NULL WHEN CAST(leaf_5 AS VARCHAR) IN ('true', 'false') THEN value_5 ELSE error('violation') END AS "boolean",
  CASE WHEN leaf_6 IS NULL THEN NULL WHEN regexp_full_match(CAST(leaf_6 AS VARCHAR), '"\d{4}-(0[1-9]|1[0-2])-[0-3]\d[Tt ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6}0*)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)"') AND value_6 BETWEEN '0001-01-01 00:00:00Z' AND '9999-12-31 23:59:59.999999Z' THEN value_6 ELSE error('violation') END AS "timestamp",
  CASE WHEN leaf_7 IS NULL THEN NULL WHEN regexp_full_match(CAST(leaf_7 AS VARCHAR), '"\d{4}-(0[1-9]|1[0-2])-[0-3]\d"') AND value_7 >= '0001-01-01' THEN value_7 ELSE error('violation') END AS "date",
  CASE WHEN leaf_8 IS NULL THEN NULL WHEN NOT regexp_matches(regexp_replace(CAST(leaf_8 AS VARCHAR), '"(\\.|[^"\\])*"', '', 'g'), '(?i)nan|inf') THEN value_8 ELSE error('violation') END AS "json"
FROM (SELECT
  record."int32" AS leaf_1, TRY_CAST(CAST(record."int32" AS VARCHAR) AS INTEGER) AS value_1,
  record."int64" AS leaf_2, TRY_CAST(CAST(record."int64" AS VARCHAR) AS BIGINT) AS value_2,
  record."float64" AS leaf_3, TRY_CAST(CAST(record."float64" AS VARCHAR) AS DOUBLE) AS value_3,
  record."string" AS leaf_4, json_extract_string(record."string", '$') AS value_4,
  record."boolean" AS leaf_5, CAST(record."boolean" AS VARCHAR) = 'true' AS value_5,
  record."timestamp" AS leaf_6, coalesce(TRY_CAST(json_extract_string(record."timestamp", '$') AS TIMESTAMP WITH TIME ZONE), TRY_CAST(upper(json_extract_string(record."timestamp", '$')) AS TIMESTAMP WITH TIME ZONE)) AS value_6,
  record."date" AS leaf_7, TRY_CAST(json_extract_string(record."date", '$') AS DATE) AS value_7,
  record."json" AS leaf_8, record."json" AS value_8
FROM read_json(['body.json'], format = 'newline_delimited', columns = {'int32': 'JSON', 'int64': 'JSON', 'float64': 'JSON', 'string': 'JSON', 'boolean': 'JSON', 'timestamp': 'JSON', 'date': 'JSON', 'json': 'JSON'}, maximum_object_size = 16777216, records = true) AS record)
) TO 'staged.parquet' (FORMAT parquet, COMPRESSION uncompressed);

-- profile
SELECT count(*), count(*) FILTER (WHERE "int32" IS NULL AND "int64" IS NULL AND "float64" IS NULL AND "string" IS NULL AND "boolean" IS NULL AND "timestamp" IS NULL AND "date" IS NULL AND "json" IS NULL), count(*) - count("int32"), NULL, left(CAST(min("int32") AS VARCHAR), 100), left(CAST(max("int32") AS VARCHAR), 100), count(*) - count("int64"), NULL, left(CAST(min("int64") AS VARCHAR), 100), left(CAST(max("int64") AS VARCHAR), 100), count(*) - count("float64"), NULL, left(CAST(min("float64") AS VARCHAR), 100), left(CAST(max("float64") AS VARCHAR), 100), count(*) - count("string"), NULL, left(CAST(min("string") AS VARCHAR), 100), left(CAST(max("string") AS VARCHAR), 100), count(*) - count("boolean"), NULL, left(CAST(min("boolean") AS VARCHAR), 100), left(CAST(max("boolean") AS VARCHAR), 100), count(*) - count("timestamp"), NULL, left(CAST(min("timestamp") AS VARCHAR), 100), left(CAST(max("timestamp") AS VARCHAR), 100), count(*) - count("date"), NULL, left(CAST(min("date") AS VARCHAR), 100), left(CAST(max("date") AS VARCHAR), 100), count(*) - count("json"), NULL, NULL, NULL FROM read_parquet('staged.parquet');

-- publish
COPY (SELECT CASE WHEN random() < 2 THEN "int32" END AS "int32", CASE WHEN random() < 2 THEN "int64" END AS "int64", CASE WHEN random() < 2 THEN "float64" END AS "float64", CASE WHEN random() < 2 THEN "string" END AS "string", CASE WHEN random() < 2 THEN "boolean" END AS "boolean", CASE WHEN random() < 2 THEN "timestamp" END AS "timestamp", CASE WHEN random() < 2 THEN "date" END AS "date", CASE WHEN random() < 2 THEN "json" END AS "json" FROM read_parquet('staged.parquet')) TO 'table.parquet' (FORMAT parquet, COMPRESSION snappy);

-- publish_empty
COPY (SELECT CAST(NULL AS INTEGER) AS "int32", CAST(NULL AS BIGINT) AS "int64", CAST(NULL AS DOUBLE) AS "float64", CAST(NULL AS VARCHAR) AS "string", CAST(NULL AS BOOLEAN) AS "boolean", CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS "timestamp", CAST(NULL AS DATE) AS "date", CAST(NULL AS JSON) AS "json" FROM range(0)) TO 'empty.parquet' (FORMAT parquet, COMPRESSION snappy);

-- schema
SELECT name, repetition_type, duckdb_type FROM parquet_schema('table.parquet') WHERE column_id > 0 ORDER BY column_id;

-- findings
SELECT name, path, expected, count(*), min_by({record: record, value: left(value, 100)}, record, 10)
FROM (
  SELECT record, unnest([
    CASE WHEN json_type(element) IS DISTINCT FROM 'OBJECT' THEN {name: '$', path: '$', value: coalesce(CAST(element AS VARCHAR), 'null'), expected: 'an object'} END,
    CASE WHEN json_type(element) = 'OBJECT' AND NOT len(list_filter(json_keys(element), lambda key: key IN ('boolean', 'date', 'float64', 'int32', 'int64', 'json', 'string', 'timestamp'))) = len(list_distinct(list_filter(json_keys(element), lambda key: key IN ('boolean', 'date', 'float64', 'int32', 'int64', 'json', 'string', 'timestamp')))) THEN {name: '$', path: '$', value: coalesce(CAST(element AS VARCHAR), 'null'), expected: 'an object without a repeated key'} END,
    CASE WHEN json_type(json_extract(element, '/int32')) <> 'NULL' AND (json_type(json_extract(element, '/int32')) IN ('UBIGINT', 'BIGINT') AND TRY_CAST(CAST(json_extract(element, '/int32') AS VARCHAR) AS INTEGER) IS NOT NULL) IS NOT TRUE THEN {name: 'int32', path: 'int32', value: CAST(json_extract(element, '/int32') AS VARCHAR), expected: 'a whole number from -2147483648 to 2147483647'} END,
    CASE WHEN json_type(json_extract(element, '/int64')) <> 'NULL' AND (json_type(json_extract(element, '/int64')) IN ('UBIGINT', 'BIGINT') AND TRY_CAST(CAST(json_extract(element, '/int64') AS VARCHAR) AS BIGINT) IS NOT NULL) IS NOT TRUE THEN {name: 'int64', path: 'int64', value: CAST(json_extract(element, '/int64') AS VARCHAR), expected: 'a whole number from -9223372036854775808 to 9223372036854775807'} END,
    CASE WHEN json_type(json_extract(element, '/float64')) <> 'NULL' AND (json_type(json_extract(element, '/float64')) IN ('DOUBLE', 'UBIGINT', 'BIGINT') AND isfinite(TRY_CAST(CAST(json_extract(element, '/float64') AS VARCHAR) AS DOUBLE))) IS NOT TRUE THEN {name: 'float64', path: 'float64', value: CAST(json_extract(element, '/float64') AS VARCHAR), expected: 'a finite number'} END,
    CASE WHEN json_type(json_extract(element, '/string')) <> 'NULL' AND (starts_with(CAST(json_extract(element, '/string') AS VARCHAR), '"')) IS NOT TRUE THEN {name: 'string', path: 'string', value: CAST(json_extract(element, '/string') AS VARCHAR), expected: 'a string'} END,
    CASE WHEN json_type(json_extract(element, '/boolean')) <> 'NULL' AND (CAST(json_extract(element, '/boolean') AS VARCHAR) IN ('true', 'false')) IS NOT TRUE THEN {name: 'boolean', path: 'boolean', value: CAST(json_extract(element, '/boolean') AS VARCHAR), expected: 'true or false'} END,
    CASE WHEN json_type(json_extract(element, '/timestamp')) <> 'NULL' AND (regexp_full_match(CAST(json_extract(element, '/timestamp') AS VARCHAR), '"\d{4}-(0[1-9]|1[0-2])-[0-3]\d[Tt ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6}0*)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)"') AND coalesce(TRY_CAST(json_extract_string(json_extract(element, '/timestamp'), '$') AS TIMESTAMP WITH TIME ZONE), TRY_CAST(upper(json_extract_string(json_extract(element, '/timestamp'), '$')) AS TIMESTAMP WITH TIME ZONE)) BETWEEN '0001-01-01 00:00:00Z' AND '9999-12-31 23:59:59.999999Z') IS NOT TRUE THEN {name: 'timestamp', path: 'timestamp', value: CAST(json_extract(element, '/timestamp') AS VARCHAR), expected: 'a date and time with a zone, such as 2006-03-24T22:30:00.000Z'} END,
    CASE WHEN json_type(json_extract(element, '/date')) <> 'NULL' AND (regexp_full_match(CAST(json_extract(element, '/date') AS VARCHAR), '"\d{4}-(0[1-9]|1[0-2])-[0-3]\d"') AND TRY_CAST(json_extract_string(json_extract(element, '/date'), '$') AS DATE) >= '0001-01-01') IS NOT TRUE THEN {name: 'date', path: 'date', value: CAST(json_extract(element, '/date') AS VARCHAR), expected: 'a date such as 2006-03-24'} END,
    CASE WHEN json_type(json_extract(element, '/json')) <> 'NULL' AND (NOT regexp_matches(regexp_replace(CAST(json_extract(element, '/json') AS VARCHAR), '"(\\.|[^"\\])*"', '', 'g'), '(?i)nan|inf')) IS NOT TRUE THEN {name: 'json', path: 'json', value: CAST(json_extract(element, '/json') AS VARCHAR), expected: 'a JSON value without NaN or Infinity'} END
  ], recursive := true) FROM (SELECT row_number() OVER () AS record, element FROM read_json(['body.json'], format = 'newline_delimited', columns = {'element': 'JSON'}, maximum_object_size = 16777216, records = false))
)
WHERE name IS NOT NULL GROUP BY name, path, expected
ORDER BY min(record), name, path, expected;

-- presence
SELECT count(*), count(json_extract(element, '/int32')), count(json_extract(element, '/int64')), count(json_extract(element, '/float64')), count(json_extract(element, '/string')), count(json_extract(element, '/boolean')), count(json_extract(element, '/timestamp')), count(json_extract(element, '/date')), count(json_extract(element, '/json')) FROM (SELECT row_number() OVER () AS record, element FROM read_json(['body.json'], format = 'newline_delimited', columns = {'element': 'JSON'}, maximum_object_size = 16777216, records = false));

