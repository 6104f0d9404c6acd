"""Two checks that use no kernel: a neuron followed by `reference`, and finite differences."""

from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.step import step
from benchmarks.workloads import Workload
from delayprop.reference.arithmetic import FLOAT64
from delayprop.reference.readouts import drive
from delayprop.reference.simulate import simulate
from delayprop.spec import Case, Connection, CrossEntropy, Network, Population, SpikeTrains


def followed(
    trains: Sequence[np.ndarray], w: np.ndarray, d: np.ndarray, duration: float, **constants: float
) -> tuple[np.ndarray, float]:
    """Spike times (ms) and largest voltage of one neuron, followed event by event by `reference`.

    It has a synapse, with `w` and `d`, from each source of `trains`. `constants`: `tau_mem`,
    `tau_syn`, and for a LIF neuron `v_th`, `v_reset`.
    """
    neuron = Population("neuron", "lif" if "v_th" in constants else "li", 1, **constants)
    synapses = Connection("sources", "neuron", w[:, None], d[:, None])
    network = Network((Population("sources", "input", len(trains)), neuron), (synapses,))
    inputs = {"sources": SpikeTrains(tuple(trains))}
    case = Case(network, duration, inputs, CrossEntropy("max_voltage", "neuron", 0))
    trial = simulate(FLOAT64, case)
    readout = drive(FLOAT64, case, trial).y
    assert readout is not None
    return np.array([spike.t for spike in trial.neurons["neuron"][0].spikes]), readout[0]


STEPS = (1e-6, 1e-7, 3e-8, 1e-8, 3e-9)
"""Tried in order; the smallest error counts.

The best step is not known beforehand: the loss has kinks where an arrival meets a crossing. A wrong
gradient is wrong at every step.
"""


def differences(workload: Workload) -> tuple[float, float] | None:
    """Relative error of the loss's derivative along a random direction of all weights and delays
    of a workload in float64: the smallest, and the step of its central difference; None if every
    step tried changes a spike count.

    A weight moves in units of the spread of its connection's weights, a delay in ms. Delays within
    ten times the largest step of 0 do not move.
    """
    random = torch.Generator().manual_seed(workload.sizes.seed + 17)
    start, by_gradient = step(workload), 0.0
    moved: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    for n, link in enumerate(workload.model.links()):
        for name, parameter in (("w", link.w), ("d", link.d)):
            v = torch.randn(parameter.shape, generator=random, dtype=torch.float64).to(parameter.device)
            if name == "w":
                v *= parameter.detach().std(correction=0)
            else:
                v[parameter.detach() < 10 * max(STEPS)] = 0.0
            by_gradient += float((start.gradients[f"{name}[{n}]"] * v).sum())
            moved.append((parameter.data, parameter.detach().clone(), v))

    @torch.no_grad()
    def loss_at(h: float) -> float | None:
        for data, before, v in moved:
            data.copy_(before + h * v)
        trains, y = workload.model(workload.spikes)
        same = all(torch.equal(a.counts(), b.counts()) for a, b in zip(trains, start.trains))
        return float(workload.loss(trains, y)) if same else None

    found = []
    for h in STEPS:
        up, down = loss_at(h), loss_at(-h)
        if up is not None and down is not None:
            difference = (up - down) / (2 * h)
            size = max(abs(by_gradient), abs(difference))
            found.append((abs(by_gradient - difference) / size if size else 0.0, h))
    loss_at(0.0)
    return min(found, default=None)
