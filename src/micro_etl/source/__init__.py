"""Everything between a URL and parts of records on disk; nothing of tables or targets."""
