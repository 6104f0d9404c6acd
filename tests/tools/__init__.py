"""Makers of stored files and the mutation test; run by hand."""
