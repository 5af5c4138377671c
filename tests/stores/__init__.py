"""The promise, held against every kind of store that the README names."""
