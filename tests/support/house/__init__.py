"""The laws of the house as functions."""
