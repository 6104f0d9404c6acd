"""Finished runs: read from their folders, compared, and their networks loaded."""
