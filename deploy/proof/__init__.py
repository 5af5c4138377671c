"""Proves that the pushed image ran and that the table which it published is right."""
