"""The documentation: every program in it runs."""
