"""Scalar physics that the CPU and the CUDA kernels share: one neuron, one bin, one event at a
time."""
