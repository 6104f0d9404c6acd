"""Identities and symmetries, which need no second gradient."""
