"""Planted faults, and the checks that look for them."""
