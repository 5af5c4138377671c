CREATE EXTERNAL TABLE `every_type` (
  `a int32` int,
  `a int64` bigint,
  `a float64` double,
  `a string` string,
  `a boolean` boolean,
  `a timestamp` timestamp,
  `a date` date,
  `a json` string,
  `a decimal(12,2)` decimal(12,2),
  `a decimal(38,10)` decimal(38,10),
  `a decimal(9,0)[]` array<decimal(9,0)>,
  `a int32[]` array<int>,
  `a int64[]` array<bigint>,
  `a float64[]` array<double>,
  `a string[]` array<string>,
  `a boolean[]` array<boolean>,
  `a timestamp[]` array<timestamp>,
  `a date[]` array<date>,
  `a json[]` array<string>,
  `Qu``o"te` string,
  `order` string
)
STORED AS PARQUET
LOCATION 's3://bucket/every-type/';
