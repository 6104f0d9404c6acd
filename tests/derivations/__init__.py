"""The proofs, and false claims that they must refute."""
