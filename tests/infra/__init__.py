"""Tests of the templates, the workflows and the roles."""
