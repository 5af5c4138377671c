"""Send a request and follow it to an answer, with every retry that may help."""
