"""The layers of `fast.cpu` on a GPU: imported only when tensors lie there, since CUDA is
optional.

The physics is that of the CPU: device functions are compiled from the Python functions of
`fast.physics`. New are the loops, since a GPU has a thread for each neuron of each trial, and not a
block of neurons side by side. Reading order: `forward`, `arrays`, `lookup`, `backward` (one thread
from start to end), `recurrent_steps`, `recurrent_forward`, `recurrent_backward` (threads that wait
for each other); then the host: `workspace`, `launches`, `solver`.
"""
