"""The torch front: layers, networks and losses, differentiated by the kernels of `fast.cpu` and `fast.cuda`."""
