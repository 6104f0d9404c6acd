"""One layer as a problem: packed for kernels, read from their records, its gradients assembled; the CPU and the GPU share it."""
