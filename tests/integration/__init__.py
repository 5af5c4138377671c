"""The integration test: what the application published, against what the source says.

It shares no code with the application, reads with other libraries (boto3, pyarrow), and works out
by itself what must be in the file. Without ``S3_BUCKET`` and ``TARGET_URL`` it runs the application
first. With one of them it tests what an application has published there, on AWS or on an emulator:

- ``DATASET``: the dataset file, or its name; launches unless told.
- ``S3_BUCKET`` and ``S3_KEY``, or ``TARGET_URL``: the table.
- ``RAW_URL``: where the application kept what it read; else the source is asked again.
- ``SOURCE_URL``: the source, where it is not the one of the dataset file.
- ``EXPECTED_RUN_ID``: the run that must have written the table.
"""
