"""The quick implementation: exact event-based gradients under PyTorch, with Numba kernels.

    from fast import LI, LIF, Spikes, cross_entropy

Reading order: `polynomials`, `flow` (physics), `bins`, `synapses`, `pointers`, `cells` (bookkeeping), `solve`,
`deposit`, `adjoint`, `gather`, `lanes`, `candidates` (steps), `forward`, `recurrent_work`, `recurrent_steps`,
`recurrent_forward`, `backward`, `recurrent_backward` (sweeps), `kernels` (threads), `problem`, `cuda` (devices),
`spikes`, `limits`, `propagate` (autograd), `layers`, `graph`, `network`, `losses` (front), `run` and `train` (command
lines), with `certificate`, `interchange` (networks and cases of the specification), `spike_files`, `training` and
`tasks` for training.
"""

from fast.nn.autograd import propagate
from fast.nn.layers import LI, LIF
from fast.nn.losses import (
    CrossEntropyLoss,
    FirstSpikeTime,
    SpikeTimeMSELoss,
    cross_entropy,
    first_spike_time,
    spike_time_mse,
)
from fast.nn.network import Network
from fast.nn.spikes import Spikes, joined

__all__ = [
    "LI",
    "LIF",
    "CrossEntropyLoss",
    "FirstSpikeTime",
    "Network",
    "SpikeTimeMSELoss",
    "Spikes",
    "cross_entropy",
    "first_spike_time",
    "joined",
    "propagate",
    "spike_time_mse",
]
