"""Everything between a file and the object that readers see; nothing of how the table was made."""
