"""One layer from problem to gradients, in torch, shared by the CPU and the GPU: packed for kernels,
read from their records, its gradients assembled from their sums."""
