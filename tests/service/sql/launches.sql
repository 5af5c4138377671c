-- stage
COPY (
SELECT
  CASE WHEN json_type(leaf_1) IN ('UBIGINT', 'BIGINT') AND value_1 IS NOT NULL THEN value_1 ELSE error('violation') END AS "flight_number",
  CASE WHEN starts_with(CAST(leaf_2 AS VARCHAR), '"') THEN value_2 ELSE error('violation') END AS "mission_name",
  CASE WHEN regexp_full_match(CAST(leaf_3 AS VARCHAR), '"\d{4}-(0[1-9]|1[0-2])-[0-3]\d[Tt ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6}0*)?)?([Zz]|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)"') AND value_3 BETWEEN '0001-01-01 00:00:00Z' AND '9999-12-31 23:59:59.999999Z' THEN value_3 ELSE error('violation') END AS "launch_date",
  CASE WHEN leaf_4 IS NULL THEN NULL WHEN CAST(leaf_4 AS VARCHAR) IN ('true', 'false') THEN value_4 ELSE error('violation') END AS "mission_successful",
  CASE WHEN leaf_5 IS NULL THEN NULL WHEN starts_with(CAST(leaf_5 AS VARCHAR), '"') THEN value_5 ELSE error('violation') END AS "webcast_url"
FROM (SELECT
  record."flight_number" AS leaf_1, TRY_CAST(CAST(record."flight_number" AS VARCHAR) AS INTEGER) AS value_1,
  record."name" AS leaf_2, json_extract_string(record."name", '$') AS value_2,
  record."date_utc" AS leaf_3, coalesce(TRY_CAST(json_extract_string(record."date_utc", '$') AS TIMESTAMP WITH TIME ZONE), TRY_CAST(upper(json_extract_string(record."date_utc", '$')) AS TIMESTAMP WITH TIME ZONE)) AS value_3,
  record."success" AS leaf_4, CAST(record."success" AS VARCHAR) = 'true' AS value_4,
  record."links"."webcast" AS leaf_5, json_extract_string(record."links"."webcast", '$') AS value_5
FROM read_json(['body.json'], format = 'array', columns = {'flight_number': 'JSON', 'name': 'JSON', 'date_utc': 'JSON', 'success': 'JSON', 'links': 'STRUCT("webcast" JSON)'}, maximum_object_size = 16777216, records = true) AS record)
) TO 'staged.parquet' (FORMAT parquet, COMPRESSION uncompressed);

-- profile
SELECT count(*), count(*) FILTER (WHERE "flight_number" IS NULL AND "mission_name" IS NULL AND "launch_date" IS NULL AND "mission_successful" IS NULL AND "webcast_url" IS NULL), count(*) - count("flight_number"), count(DISTINCT "flight_number"), left(CAST(min("flight_number") AS VARCHAR), 100), left(CAST(max("flight_number") AS VARCHAR), 100), count(*) - count("mission_name"), NULL, left(CAST(min("mission_name") AS VARCHAR), 100), left(CAST(max("mission_name") AS VARCHAR), 100), count(*) - count("launch_date"), NULL, left(CAST(min("launch_date") AS VARCHAR), 100), left(CAST(max("launch_date") AS VARCHAR), 100), count(*) - count("mission_successful"), NULL, left(CAST(min("mission_successful") AS VARCHAR), 100), left(CAST(max("mission_successful") AS VARCHAR), 100), count(*) - count("webcast_url"), NULL, left(CAST(min("webcast_url") AS VARCHAR), 100), left(CAST(max("webcast_url") AS VARCHAR), 100) FROM read_parquet(['staged.parquet']);

-- publish
COPY (SELECT "flight_number", "mission_name", "launch_date", CASE WHEN random() < 2 THEN "mission_successful" END AS "mission_successful", CASE WHEN random() < 2 THEN "webcast_url" END AS "webcast_url" FROM read_parquet('staged.parquet')) TO 'table.parquet' (FORMAT parquet, COMPRESSION snappy);

-- publish_empty
COPY (SELECT CAST('0' AS INTEGER) AS "flight_number", CAST('0' AS VARCHAR) AS "mission_name", CAST('1970-01-01' AS TIMESTAMP WITH TIME ZONE) AS "launch_date", CAST(NULL AS BOOLEAN) AS "mission_successful", CAST(NULL AS VARCHAR) AS "webcast_url" FROM range(0)) TO 'empty.parquet' (FORMAT parquet, COMPRESSION snappy);

-- schema
SELECT name, repetition_type, duckdb_type, coalesce(num_children, 0) FROM parquet_schema('table.parquet') WHERE column_id > 0 ORDER BY column_id;

-- findings
SELECT name, path, expected, count(*), min_by({record: record, value: value}, record, 10)
FROM (
  SELECT record, unnest([
    CASE WHEN kinds[1] IS DISTINCT FROM 'OBJECT' THEN {name: '$', path: '$', value: coalesce(left(CAST(found[1] AS VARCHAR), 100), 'null'), expected: 'an object'} END,
    CASE WHEN kinds[1] = 'OBJECT' AND NOT len(list_filter(keys[1], lambda key: key IN ('date_utc', 'flight_number', 'links', 'name', 'success'))) = len(list_distinct(list_filter(keys[1], lambda key: key IN ('date_utc', 'flight_number', 'links', 'name', 'success')))) THEN {name: '$', path: '$', value: coalesce(left(CAST(found[1] AS VARCHAR), 100), 'null'), expected: 'an object without a repeated key'} END,
    CASE WHEN kinds[2] NOT IN ('OBJECT', 'NULL') THEN {name: 'links', path: 'links', value: left(CAST(found[2] AS VARCHAR), 100), expected: 'an object'} END,
    CASE WHEN kinds[2] = 'OBJECT' AND NOT len(list_filter(keys[2], lambda key: key IN ('webcast'))) = len(list_distinct(list_filter(keys[2], lambda key: key IN ('webcast')))) THEN {name: 'links', path: 'links', value: left(CAST(found[2] AS VARCHAR), 100), expected: 'an object without a repeated key'} END,
    CASE WHEN list_transform([NULLIF(found[3], 'null')], lambda leaf: leaf IS NOT NULL AND (json_type(leaf) IN ('UBIGINT', 'BIGINT') AND TRY_CAST(CAST(leaf AS VARCHAR) AS INTEGER) IS NOT NULL) IS NOT TRUE)[1] THEN {name: 'flight_number', path: 'flight_number', value: left(CAST(found[3] AS VARCHAR), 100), expected: 'a whole number from -2147483648 to 2147483647'} END,
    CASE WHEN (NULLIF(found[3], 'null')) IS NULL AND (kinds[1] IS DISTINCT FROM 'OBJECT') IS NOT TRUE THEN {name: 'flight_number', path: 'flight_number', value: left(CAST(found[3] AS VARCHAR), 100), expected: 'a whole number from -2147483648 to 2147483647'} END,
    CASE WHEN list_transform([NULLIF(found[4], 'null')], lambda leaf: leaf IS NOT NULL AND (starts_with(CAST(leaf AS VARCHAR), '"')) IS NOT TRUE)[1] THEN {name: 'mission_name', path: 'name', value: left(CAST(found[4] AS VARCHAR), 100), expected: 'a string'} END,
    CASE WHEN (NULLIF(found[4], 'null')) IS NULL AND (kinds[1] IS DISTINCT FROM 'OBJECT') IS NOT TRUE THEN {name: 'mission_name', path: 'name', value: left(CAST(found[4] AS VARCHAR), 100), expected: 'a string'} END,
    CASE WHEN list_transform([NULLIF(found[5], 'null')], lambda leaf: leaf IS NOT NULL AND (regexp_full_match(CAST(leaf AS VARCHAR), '"\d{4}-(0[1-9]|1[0-2])-[0-3]\d[Tt ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6}0*)?)?([Zz]|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)"') AND coalesce(TRY_CAST(json_extract_string(leaf, '$') AS TIMESTAMP WITH TIME ZONE), TRY_CAST(upper(json_extract_string(leaf, '$')) AS TIMESTAMP WITH TIME ZONE)) BETWEEN '0001-01-01 00:00:00Z' AND '9999-12-31 23:59:59.999999Z') IS NOT TRUE)[1] THEN {name: 'launch_date', path: 'date_utc', value: left(CAST(found[5] AS VARCHAR), 100), expected: 'a date and time with a zone, such as 2006-03-24T22:30:00.000Z'} END,
    CASE WHEN (NULLIF(found[5], 'null')) IS NULL AND (kinds[1] IS DISTINCT FROM 'OBJECT') IS NOT TRUE THEN {name: 'launch_date', path: 'date_utc', value: left(CAST(found[5] AS VARCHAR), 100), expected: 'a date and time with a zone, such as 2006-03-24T22:30:00.000Z'} END,
    CASE WHEN list_transform([NULLIF(found[6], 'null')], lambda leaf: leaf IS NOT NULL AND (CAST(leaf AS VARCHAR) IN ('true', 'false')) IS NOT TRUE)[1] THEN {name: 'mission_successful', path: 'success', value: left(CAST(found[6] AS VARCHAR), 100), expected: 'true or false'} END,
    CASE WHEN list_transform([NULLIF(found[7], 'null')], lambda leaf: leaf IS NOT NULL AND (starts_with(CAST(leaf AS VARCHAR), '"')) IS NOT TRUE)[1] THEN {name: 'webcast_url', path: 'links.webcast', value: left(CAST(found[7] AS VARCHAR), 100), expected: 'a string'} END
  ], recursive := true) FROM (SELECT *, json_extract(element, ['', '/links', '/flight_number', '/name', '/date_utc', '/success', '/links/webcast']) AS found, json_type(element, ['', '/links']) AS kinds, json_keys(element, ['', '/links']) AS keys FROM (SELECT row_number() OVER () AS record, * FROM (SELECT node AS element, series FROM (SELECT json AS node, CAST(NULL AS VARCHAR) AS series FROM read_json_objects(['body.json'], format = 'array', maximum_object_size = 16777216, filename = false)))))
)
WHERE name IS NOT NULL GROUP BY name, path, expected
ORDER BY min(record), name, path, expected;

-- presence
SELECT count(*), count(found[1]), count(found[2]), count(found[3]), count(found[4]), count(found[5]) FROM (SELECT *, json_extract(element, ['/flight_number', '/name', '/date_utc', '/success', '/links/webcast']) AS found, NULL AS kinds, NULL AS keys FROM (SELECT row_number() OVER () AS record, * FROM (SELECT node AS element, series FROM (SELECT json AS node, CAST(NULL AS VARCHAR) AS series FROM read_json_objects(['body.json'], format = 'array', maximum_object_size = 16777216, filename = false)))));

-- repeats of flight_number
SELECT name, path, expected, count(*), min_by({record: record, value: value}, record, 10)
FROM (
  SELECT record, 'flight_number' AS name, 'flight_number' AS path, shown AS value, 'a value that no other record has' AS expected FROM (SELECT record, shown, row_number() OVER (PARTITION BY key ORDER BY record) AS nth FROM (SELECT record, CAST(TRY_CAST(CAST(leaf_0 AS VARCHAR) AS INTEGER) AS VARCHAR) AS key, left(CAST(leaf_0 AS VARCHAR), 100) AS shown FROM (SELECT record, NULLIF(found[1], 'null') AS leaf_0 FROM (SELECT *, json_extract(element, ['/flight_number']) AS found, NULL AS kinds, NULL AS keys FROM (SELECT row_number() OVER () AS record, * FROM (SELECT node AS element, series FROM (SELECT json AS node, CAST(NULL AS VARCHAR) AS series FROM read_json_objects(['body.json'], format = 'array', maximum_object_size = 16777216, filename = false)))))) WHERE leaf_0 IS NOT NULL AND (json_type(leaf_0) IN ('UBIGINT', 'BIGINT') AND TRY_CAST(CAST(leaf_0 AS VARCHAR) AS INTEGER) IS NOT NULL))) WHERE nth > 1
)
WHERE name IS NOT NULL GROUP BY name, path, expected
ORDER BY min(record), name, path, expected;

