"""Layers, networks, spikes and losses for PyTorch, differentiated by `fast.cpu` and `fast.cuda`."""
