"""What trained networks have reached, as data, and how it was got."""
