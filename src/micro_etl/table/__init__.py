"""Everything between parts of records and a Parquet file; nothing of sources or targets."""
