"""What developers and CI use: the quick start, the rehearsal, the benchmark, scripts."""
