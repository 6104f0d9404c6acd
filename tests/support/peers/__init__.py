"""Other simulators, for the tests of the conformance kit."""
