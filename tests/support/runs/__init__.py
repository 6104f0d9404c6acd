"""Training runs made for tests."""
