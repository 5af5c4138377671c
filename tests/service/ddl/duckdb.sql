CREATE OR REPLACE TABLE "every_type" (
  "a int32" INTEGER NOT NULL,
  "a int64" BIGINT,
  "a float64" DOUBLE,
  "a string" VARCHAR,
  "a boolean" BOOLEAN,
  "a timestamp" TIMESTAMP WITH TIME ZONE,
  "a date" DATE,
  "a json" JSON,
  "a decimal(12,2)" DECIMAL(12,2),
  "a decimal(38,10)" DECIMAL(38,10),
  "a decimal(9,0)[]" DECIMAL(9,0)[],
  "a int32[]" INTEGER[],
  "a int64[]" BIGINT[],
  "a float64[]" DOUBLE[],
  "a string[]" VARCHAR[],
  "a boolean[]" BOOLEAN[],
  "a timestamp[]" TIMESTAMP WITH TIME ZONE[],
  "a date[]" DATE[],
  "a json[]" JSON[],
  "Qu`o""te" VARCHAR,
  "order" VARCHAR
);
INSERT INTO "every_type" BY NAME
SELECT * FROM read_parquet('s3://bucket/every-type.parquet');
