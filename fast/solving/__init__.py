"""One layer from problem to gradients, in torch, for CPU and GPU: packed, read, assembled."""
