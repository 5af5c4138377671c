"""The second engine: the same dataset over a folder, on as many machines as there are."""
