-- stage
COPY (
SELECT
  CASE WHEN json_type(leaf_1) IN ('UBIGINT', 'BIGINT') AND value_1 IS NOT NULL THEN value_1 ELSE error('violation') END AS "flight_number",
  CASE WHEN starts_with(CAST(leaf_2 AS VARCHAR), '"') THEN value_2 ELSE error('violation') END AS "mission_name",
  CASE WHEN regexp_full_match(CAST(leaf_3 AS VARCHAR), '"\d{4}-(0[1-9]|1[0-2])-[0-3]\d[Tt ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6}0*)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)"') AND value_3 BETWEEN '0001-01-01 00:00:00Z' AND '9999-12-31 23:59:59.999999Z' THEN value_3 ELSE error('violation') END AS "launch_date",
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
SELECT count(*), count(*) FILTER (WHERE "flight_number" IS NULL AND "mission_name" IS NULL AND "launch_date" IS NULL AND "mission_successful" IS NULL AND "webcast_url" IS NULL), count(*) - count("flight_number"), count(DISTINCT "flight_number"), left(CAST(min("flight_number") AS VARCHAR), 100), left(CAST(max("flight_number") AS VARCHAR), 100), count(*) - count("mission_name"), NULL, left(CAST(min("mission_name") AS VARCHAR), 100), left(CAST(max("mission_name") AS VARCHAR), 100), count(*) - count("launch_date"), NULL, left(CAST(min("launch_date") AS VARCHAR), 100), left(CAST(max("launch_date") AS VARCHAR), 100), count(*) - count("mission_successful"), NULL, left(CAST(min("mission_successful") AS VARCHAR), 100), left(CAST(max("mission_successful") AS VARCHAR), 100), count(*) - count("webcast_url"), NULL, left(CAST(min("webcast_url") AS VARCHAR), 100), left(CAST(max("webcast_url") AS VARCHAR), 100) FROM read_parquet('staged.parquet');

-- publish
COPY (SELECT "flight_number", "mission_name", "launch_date", CASE WHEN random() < 2 THEN "mission_successful" END AS "mission_successful", CASE WHEN random() < 2 THEN "webcast_url" END AS "webcast_url" FROM read_parquet('staged.parquet')) TO 'table.parquet' (FORMAT parquet, COMPRESSION snappy);

-- publish_empty
COPY (SELECT CAST('0' AS INTEGER) AS "flight_number", CAST('0' AS VARCHAR) AS "mission_name", CAST('1970-01-01' AS TIMESTAMP WITH TIME ZONE) AS "launch_date", CAST(NULL AS BOOLEAN) AS "mission_successful", CAST(NULL AS VARCHAR) AS "webcast_url" FROM range(0)) TO 'empty.parquet' (FORMAT parquet, COMPRESSION snappy);

-- schema
SELECT name, repetition_type, duckdb_type FROM parquet_schema('table.parquet') WHERE column_id > 0 ORDER BY column_id;

-- findings
SELECT name, path, expected, count(*), min_by({record: record, value: left(value, 100)}, record, 10)
FROM (
  SELECT record, unnest([
    CASE WHEN json_type(element) IS DISTINCT FROM 'OBJECT' THEN {name: '$', path: '$', value: coalesce(CAST(element AS VARCHAR), 'null'), expected: 'an object'} END,
    CASE WHEN json_type(element) = 'OBJECT' AND NOT len(list_filter(json_keys(element), lambda key: key IN ('date_utc', 'flight_number', 'links', 'name', 'success'))) = len(list_distinct(list_filter(json_keys(element), lambda key: key IN ('date_utc', 'flight_number', 'links', 'name', 'success')))) THEN {name: '$', path: '$', value: coalesce(CAST(element AS VARCHAR), 'null'), expected: 'an object without a repeated key'} END,
    CASE WHEN json_type(json_extract(element, '/links')) NOT IN ('OBJECT', 'NULL') THEN {name: 'links', path: 'links', value: CAST(json_extract(element, '/links') AS VARCHAR), expected: 'an object'} END,
    CASE WHEN json_type(json_extract(element, '/links')) = 'OBJECT' AND NOT len(list_filter(json_keys(json_extract(element, '/links')), lambda key: key IN ('webcast'))) = len(list_distinct(list_filter(json_keys(json_extract(element, '/links')), lambda key: key IN ('webcast')))) THEN {name: 'links', path: 'links', value: CAST(json_extract(element, '/links') AS VARCHAR), expected: 'an object without a repeated key'} END,
    CASE WHEN json_type(json_extract(element, '/flight_number')) <> 'NULL' AND (json_type(json_extract(element, '/flight_number')) IN ('UBIGINT', 'BIGINT') AND TRY_CAST(CAST(json_extract(element, '/flight_number') AS VARCHAR) AS INTEGER) IS NOT NULL) IS NOT TRUE THEN {name: 'flight_number', path: 'flight_number', value: CAST(json_extract(element, '/flight_number') AS VARCHAR), expected: 'a whole number from -2147483648 to 2147483647'} END,
    CASE WHEN json_type(element) = 'OBJECT' AND coalesce(json_type(json_extract(element, '/flight_number')), 'NULL') = 'NULL' THEN {name: 'flight_number', path: 'flight_number', value: CAST(json_extract(element, '/flight_number') AS VARCHAR), expected: 'a whole number from -2147483648 to 2147483647'} END,
    CASE WHEN json_type(json_extract(element, '/name')) <> 'NULL' AND (starts_with(CAST(json_extract(element, '/name') AS VARCHAR), '"')) IS NOT TRUE THEN {name: 'mission_name', path: 'name', value: CAST(json_extract(element, '/name') AS VARCHAR), expected: 'a string'} END,
    CASE WHEN json_type(element) = 'OBJECT' AND coalesce(json_type(json_extract(element, '/name')), 'NULL') = 'NULL' THEN {name: 'mission_name', path: 'name', value: CAST(json_extract(element, '/name') AS VARCHAR), expected: 'a string'} END,
    CASE WHEN json_type(json_extract(element, '/date_utc')) <> 'NULL' AND (regexp_full_match(CAST(json_extract(element, '/date_utc') AS VARCHAR), '"\d{4}-(0[1-9]|1[0-2])-[0-3]\d[Tt ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6}0*)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)"') AND coalesce(TRY_CAST(json_extract_string(json_extract(element, '/date_utc'), '$') AS TIMESTAMP WITH TIME ZONE), TRY_CAST(upper(json_extract_string(json_extract(element, '/date_utc'), '$')) AS TIMESTAMP WITH TIME ZONE)) BETWEEN '0001-01-01 00:00:00Z' AND '9999-12-31 23:59:59.999999Z') IS NOT TRUE THEN {name: 'launch_date', path: 'date_utc', value: CAST(json_extract(element, '/date_utc') AS VARCHAR), expected: 'a date and time with a zone, such as 2006-03-24T22:30:00.000Z'} END,
    CASE WHEN json_type(element) = 'OBJECT' AND coalesce(json_type(json_extract(element, '/date_utc')), 'NULL') = 'NULL' THEN {name: 'launch_date', path: 'date_utc', value: CAST(json_extract(element, '/date_utc') AS VARCHAR), expected: 'a date and time with a zone, such as 2006-03-24T22:30:00.000Z'} END,
    CASE WHEN json_type(json_extract(element, '/success')) <> 'NULL' AND (CAST(json_extract(element, '/success') AS VARCHAR) IN ('true', 'false')) IS NOT TRUE THEN {name: 'mission_successful', path: 'success', value: CAST(json_extract(element, '/success') AS VARCHAR), expected: 'true or false'} END,
    CASE WHEN json_type(json_extract(element, '/links/webcast')) <> 'NULL' AND (starts_with(CAST(json_extract(element, '/links/webcast') AS VARCHAR), '"')) IS NOT TRUE THEN {name: 'webcast_url', path: 'links.webcast', value: CAST(json_extract(element, '/links/webcast') AS VARCHAR), expected: 'a string'} END
  ], recursive := true) FROM (SELECT row_number() OVER () AS record, element FROM read_json(['body.json'], format = 'array', columns = {'element': 'JSON'}, maximum_object_size = 16777216, records = false))
)
WHERE name IS NOT NULL GROUP BY name, path, expected
ORDER BY min(record), name, path, expected;

-- presence
SELECT count(*), count(json_extract(element, '/flight_number')), count(json_extract(element, '/name')), count(json_extract(element, '/date_utc')), count(json_extract(element, '/success')), count(json_extract(element, '/links/webcast')) FROM (SELECT row_number() OVER () AS record, element FROM read_json(['body.json'], format = 'array', columns = {'element': 'JSON'}, maximum_object_size = 16777216, records = false));

-- repeats of flight_number
SELECT name, path, expected, count(*), min_by({record: record, value: left(value, 100)}, record, 10)
FROM (
  SELECT record, 'flight_number' AS name, 'flight_number' AS path, shown AS value, 'a value that no other record has' AS expected FROM (SELECT record, CAST(json_extract(element, '/flight_number') AS VARCHAR) AS shown, row_number() OVER (PARTITION BY TRY_CAST(CAST(json_extract(element, '/flight_number') AS VARCHAR) AS INTEGER) ORDER BY record) AS nth FROM (SELECT row_number() OVER () AS record, element FROM read_json(['body.json'], format = 'array', columns = {'element': 'JSON'}, maximum_object_size = 16777216, records = false)) WHERE json_type(json_extract(element, '/flight_number')) IN ('UBIGINT', 'BIGINT') AND TRY_CAST(CAST(json_extract(element, '/flight_number') AS VARCHAR) AS INTEGER) IS NOT NULL) WHERE nth > 1
)
WHERE name IS NOT NULL GROUP BY name, path, expected
ORDER BY min(record), name, path, expected;

