"""Identities and symmetries, which need no other gradient."""
