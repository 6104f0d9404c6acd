"""The conformance kit and its peers."""
