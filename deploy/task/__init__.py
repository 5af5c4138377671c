"""Defines a task, runs it, follows it to its end and explains that end."""
