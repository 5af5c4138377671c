"""From the URL of an API to a dataset file that runs."""
