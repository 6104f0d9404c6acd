"""Exact event-based gradients under PyTorch, with Numba kernels for CPU and CUDA.

Commands: `run`, `train`, `evaluate`, `compare`, `export`. A room imports only rooms above it:

    compiling   Numba's compiler, and the folder of compiled kernels
    layout      times, layers and spikes as the kernels read them
    physics     the equations as scalar functions, shared by CPU and CUDA
    solving     one layer as a problem: packed for the kernels, its gradients assembled
    cpu, cuda   the kernels: simulate a layer, and its adjoint
    nn          layers, networks, spikes and losses for PyTorch
    data        files of spikes, augmentation, batches
    drawing     pictures and pages of a run
    training    the loop, checkpoints, run folders, several processes
    tasks       the training tasks, one module or folder per task
    runs        finished runs: read, compared, their networks loaded
"""

from delayprop.fast.nn.autograd import propagate
from delayprop.fast.nn.joining import joined
from delayprop.fast.nn.layers import LI, LIF
from delayprop.fast.nn.losses import (
    CrossEntropyLoss,
    FirstSpikeTime,
    SpikeTimeMSELoss,
    cross_entropy,
    first_spike_time,
    spike_time_mse,
)
from delayprop.fast.nn.network import Network
from delayprop.fast.nn.parameters import param_groups, project_
from delayprop.fast.nn.spikes import Spikes

__all__ = [
    "LI", "LIF", "CrossEntropyLoss", "FirstSpikeTime", "Network", "SpikeTimeMSELoss", "Spikes", "cross_entropy",
    "first_spike_time", "joined", "param_groups", "project_", "propagate", "spike_time_mse",
]
