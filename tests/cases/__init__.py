"""Recorded answers of real APIs, and a server that replays them; the README says what is where."""
