"""Scalar physics shared by the CPU and CUDA kernels: one neuron, one bin, one event at a time."""
