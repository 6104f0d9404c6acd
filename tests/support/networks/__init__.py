"""Networks for tests: drawn, built, rewritten, refused."""
