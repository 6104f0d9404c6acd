"""The proofs, and controls that they must refuse."""
