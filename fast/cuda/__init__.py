"""The layers of `fast.cpu` on a GPU; imported for tensors on a GPU only, since CUDA is optional.

Device functions are compiled from the Python functions of `fast.physics`, as on the CPU. New are
the loops, since a GPU has a thread for each neuron of each trial, and not a pack of neurons.
Reading order: `forward`, `arrays`, `lookup`, `backward` (one thread from start to end),
`recurrent_steps`, `recurrent_forward`, `recurrent_backward` (threads that wait for each other);
then the host: `workspace`, `launches`, `solver`.
"""
