"""Kernels for the CPU: 32 neurons side by side, in one sweep through time."""
