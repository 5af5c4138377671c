"""`make run`: the job from nothing, on loopback or for real."""
