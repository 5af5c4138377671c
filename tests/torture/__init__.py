"""The service under faults, kills, random inputs and long use: nothing destroys good data."""
