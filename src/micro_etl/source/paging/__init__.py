"""Fetch a source page after page, and refuse what is not all of it."""
