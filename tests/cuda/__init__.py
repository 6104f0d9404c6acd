"""The CUDA kernels: compiled, simulated, and on a GPU if there is one."""
