"""The same layers on a GPU: imported only when tensors are there, since CUDA is an optional
dependency.

The physics is that of the CPU: device functions are compiled from the very same Python functions of
`fast.physics.crossing`, `fast.physics.within_bin` and `fast.physics.adjoint`. New are the loops,
since a GPU has a thread for each neuron of each trial, and not a block of neurons side by side.
Reading order: `forward`, `arrays`, `gather`, `backward` (one thread from start to end), `together`,
`recurrent_forward`, `recurrent_backward` (threads that wait for each other), `packing`, `launch`,
`room` (torch tensors in place), `feed_forward`, `recurrent`, `kernels`, `problem` (the host).
"""
