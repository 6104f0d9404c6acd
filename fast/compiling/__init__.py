"""Numba's compiler, the folder of compiled kernels, and a progress bar while it compiles."""
