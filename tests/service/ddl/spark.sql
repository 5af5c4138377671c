CREATE TABLE `every_type` (
  `a int32` INT NOT NULL,
  `a int64` BIGINT,
  `a float64` DOUBLE,
  `a string` STRING,
  `a boolean` BOOLEAN,
  `a timestamp` TIMESTAMP,
  `a date` DATE,
  `a json` STRING,
  `a decimal(12,2)` DECIMAL(12,2),
  `a decimal(38,10)` DECIMAL(38,10),
  `a decimal(9,0)[]` ARRAY<DECIMAL(9,0)>,
  `a int32[]` ARRAY<INT>,
  `a int64[]` ARRAY<BIGINT>,
  `a float64[]` ARRAY<DOUBLE>,
  `a string[]` ARRAY<STRING>,
  `a boolean[]` ARRAY<BOOLEAN>,
  `a timestamp[]` ARRAY<TIMESTAMP>,
  `a date[]` ARRAY<DATE>,
  `a json[]` ARRAY<STRING>,
  `Qu``o"te` STRING,
  `order` STRING
)
USING PARQUET
LOCATION 's3://bucket/every-type/';
