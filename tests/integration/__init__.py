"""The integration test: what the application published, against what the source says.

It shares no code with the application, reads with other libraries (boto3, pyarrow), and works out
by itself what must be in the file. With ``S3_BUCKET`` set it tests what an application has
published there, on AWS or on an emulator; without, it runs the application first.
"""
