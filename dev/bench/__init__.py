"""`make bench`: the same job by this service and by its peers, side by side."""
