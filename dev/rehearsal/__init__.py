"""Rehearses a deploy, with all that can go wrong in it, in a whole cloud on this machine."""
