"""The verification report."""
