"""Planted faults, and what the checks find in them."""
