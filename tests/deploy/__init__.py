"""The tests of the deploy tool."""
