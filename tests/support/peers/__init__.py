"""Other simulators, as the conformance kit sees them."""
