"""The laws of the house: imports, hidden faults, the lock, the command lines."""
