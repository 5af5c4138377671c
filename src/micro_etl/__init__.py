"""From a JSON API to a typed, verified Parquet file in an S3 bucket."""

__version__ = "0.1.0"
