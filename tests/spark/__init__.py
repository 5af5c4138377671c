"""The Spark engine keeps the promises of the other one; skipped where Spark is not here."""
