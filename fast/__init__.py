"""Exact event-based gradients under PyTorch, with Numba kernels for CPU and CUDA.

Commands: `run`, `train`, `evaluate`, `compare`, `export`, `compile`. In a checkout,
`CONTRIBUTING.md` lists the rooms below them, and the order in which they may import each other.
"""

from delayprop.fast.nn.autograd import propagate, propagate_neurons, propagate_on
from delayprop.fast.nn.joining import joined
from delayprop.fast.nn.layers import ALIF, LI, LIF, AdLIF, Spiking
from delayprop.fast.nn.losses import (
    CrossEntropyLoss,
    FirstSpikeTime,
    RelativeSpikeTimeMSELoss,
    SpikeTimeMSELoss,
    cross_entropy,
    first_spike_time,
    relative_spike_time_mse,
    spike_time_mse,
)
from delayprop.fast.nn.network import Network
from delayprop.fast.nn.parameters import param_groups, project_
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.nn.state import LayerState

__all__ = [
    "ALIF", "LI", "LIF", "AdLIF", "CrossEntropyLoss", "FirstSpikeTime", "LayerState", "Network",
    "RelativeSpikeTimeMSELoss", "SpikeTimeMSELoss", "Spikes", "Spiking", "cross_entropy", "first_spike_time", "joined",
    "param_groups", "project_", "propagate", "propagate_neurons", "propagate_on", "relative_spike_time_mse",
    "spike_time_mse",
]
