"""Results of trained networks, as data."""
