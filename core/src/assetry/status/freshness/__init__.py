"""How new data is: how far that of each asset reaches, and whether that is far enough."""
