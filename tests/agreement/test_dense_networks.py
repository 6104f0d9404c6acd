"""Gradients of networks too dense for differences: a spike changes place within any useful step.

For 200 neurons that all reach each other the tangent decides, which follows the events of the
reference without an adjoint; for a million arrivals at one neuron, the closed form of its mean
voltage.
"""

from __future__ import annotations

from math import fsum

import numpy as np
import pytest
import torch

from delayprop.fast.nn.layers import LI
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.run import run_case
from delayprop.spec import Case, Gradients
from tests.support.comparison import gradient_blocks, scaled
from tests.support.networks.documents import cross_entropy, li, lif, read, wire
from tests.support.tangent import directional_derivative, random_direction
from tests.support.tolerances import DOT_PRODUCT, WELL_CONDITIONED

INPUTS, NEURONS = 20, 200


def dense() -> Case:
    """200 neurons that all reach each other, by delays of 0.5 to 10 ms; some spikes each."""
    rng = np.random.default_rng(0)

    def drawn(source: str, target: str, mean: float, sd: float, longest: float, pre: int, post: int) -> dict:
        weights = rng.normal(mean, sd, (pre, post)).tolist()
        return wire(source, target, weights, rng.uniform(0.5, longest, (pre, post)).tolist())

    wires = [
        drawn("in", "hid", 1.0, 1.0, 5.0, INPUTS, NEURONS), drawn("hid", "hid", 0.0, 0.15, 10.0, NEURONS, NEURONS),
        drawn("hid", "out", 0.02, 0.05, 5.0, NEURONS, 2),
    ]
    inputs = [[float(t)] for t in rng.uniform(0.0, 10.0, INPUTS)]
    return read(20.0, inputs, [lif("hid", NEURONS), li("out", 2)], wires, cross_entropy("max_voltage"))


@pytest.mark.full
def test_a_dense_recurrent_network_has_the_gradient_of_the_tangent() -> None:
    """A gradient that is off by 1e-9 in its weights, the control, has not."""
    case = dense()
    found = run_case(case)
    assert sum(map(len, found.spikes["hid"])) > NEURONS
    direction = random_direction(found.gradients, 0)
    tangent = directional_derivative(case, direction)

    def residual(gradients: Gradients) -> float:
        blocks, moves = gradient_blocks(case, gradients), gradient_blocks(case, direction)
        terms = [float(g * move) for name, block in blocks.items() for g, move in zip(block, moves[name], strict=True)]
        return abs(fsum([*terms, -tangent])) / fsum(map(abs, terms))

    assert residual(found.gradients) <= DOT_PRODUCT < residual(scaled(found.gradients, "w", 1 + 1e-9))


@pytest.mark.full
def test_a_million_spikes_at_one_neuron() -> None:
    """The gradients of its mean voltage are those of the closed form, per weight and delay."""
    rng, sources, each, T = np.random.default_rng(1), 1000, 1000, 200.0
    times = np.sort(rng.uniform(0.0, 150.0, (sources, each)), axis=1)
    layer = LI(sources, 1, readout="mean_voltage", tau_mem=20.0, tau_syn=5.0, dtype=torch.float64)
    with torch.no_grad():
        layer.w.copy_(torch.from_numpy(rng.normal(0.0, 1e-3, (sources, 1))))
        layer.d.copy_(torch.from_numpy(rng.uniform(0.0, 40.0, (sources, 1))))
    offsets = torch.arange(0, sources * each + 1, each)
    layer(Spikes(torch.from_numpy(times.ravel()), offsets, 1, sources, T)).sum().backward()
    left = T - times - layer.d.detach().numpy()
    scale = 5.0 / (20.0 - 5.0)
    kernel = scale * (np.exp(-left / 20.0) - np.exp(-left / 5.0))
    area = scale * (-20.0 * np.expm1(-left / 20.0) + 5.0 * np.expm1(-left / 5.0))
    expected = {"w": area.sum(axis=1), "d": -layer.w.detach().numpy()[:, 0] * kernel.sum(axis=1)}
    for name, true in expected.items():
        gradient = getattr(layer, name).grad.numpy()[:, 0] * T
        assert np.linalg.norm(gradient - true) <= WELL_CONDITIONED * np.linalg.norm(true), name
