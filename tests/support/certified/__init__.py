"""The certified set: its networks and its stored values."""
