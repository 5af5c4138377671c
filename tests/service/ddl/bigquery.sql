CREATE OR REPLACE EXTERNAL TABLE `every_type` (
  `a int32` INT64,
  `a int64` INT64,
  `a float64` FLOAT64,
  `a string` STRING,
  `a boolean` BOOL,
  `a timestamp` TIMESTAMP,
  `a date` DATE,
  `a json` STRING,
  `a decimal(12,2)` NUMERIC(12,2),
  `a decimal(38,10)` BIGNUMERIC(38,10),
  `a decimal(9,0)[]` ARRAY<NUMERIC(9,0)>,
  `a int32[]` ARRAY<INT64>,
  `a int64[]` ARRAY<INT64>,
  `a float64[]` ARRAY<FLOAT64>,
  `a string[]` ARRAY<STRING>,
  `a boolean[]` ARRAY<BOOL>,
  `a timestamp[]` ARRAY<TIMESTAMP>,
  `a date[]` ARRAY<DATE>,
  `a json[]` ARRAY<STRING>,
  `Qu\`o"te` STRING,
  `order` STRING
)
OPTIONS (
  format = 'PARQUET',
  enable_list_inference = TRUE,
  uris = ['gs://bucket/every-type.parquet']
);
