"""The CUDA kernels: compiled, simulated, and, where there is one, on a GPU."""
