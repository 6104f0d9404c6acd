"""Spikes that arrive at all neurons at once: the numbers of arrivals that are deposited one by one.

A neuron more, that nothing reads and whose delays are its own, keeps a source from having one delay
at all neurons of a pack: the other neurons are then solved by deposits.
"""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from delayprop import VOLTAGE_READOUTS, Spikes
from delayprop.fast.cpu.solver import _packed
from delayprop.fast.nn.autograd import propagate
from delayprop.fast.solving import packing
from tests.support.effort import many

T = 120.0  # ms


class Drawn(NamedTuple):
    """Weights and delays of a layer whose sources have one delay each, and its input."""

    spikes: Spikes
    w: Tensor
    d: Tensor
    tau_mem: Tensor


def drawn(seed: int, recurrent: bool, spiking: bool) -> Drawn:
    random = np.random.default_rng(seed)
    pre, post = int(random.integers(1, 12)), int(random.integers(2, 31))
    trains = [[np.sort(random.uniform(0, T, random.poisson(40))) for _ in range(pre)] for _ in range(2)]
    rows = pre + post if recurrent else pre
    w = random.normal(0.3 / pre**0.5 if spiking else 0.0, 2.0 / pre**0.5, (rows, post))
    w[pre:] *= 0.3
    d = random.choice([0.0, 0.25, 3.0, 40.0, 500.0], (rows, 1)) + random.choice([0.0, 1e-9, 0.7], (rows, 1))
    d[pre:] = np.maximum(d[pre:], 0.01)
    spikes = Spikes.from_trains(trains, T)
    tau_mem = torch.full((post,), float(random.choice([8.0, 20.0])), dtype=torch.float64)
    return Drawn(spikes, torch.from_numpy(w), torch.from_numpy(np.broadcast_to(d, w.shape).copy()), tau_mem)


def with_another_neuron(one: Drawn, recurrent: bool) -> Drawn:
    """It hears and moves nothing of the others, at delays of its own."""
    pre, post = one.spikes.size, len(one.tau_mem)
    w, d = (torch.nn.functional.pad(block, (0, 1, 0, int(recurrent))) for block in (one.w, one.d))
    d[:, post] = torch.arange(1, len(d) + 1) * 0.37 + 1.0
    if recurrent:
        d[pre + post, :post] = torch.arange(1, post + 1) * 0.41 + 1.0
    return Drawn(one.spikes, w, d, torch.cat([one.tau_mem, one.tau_mem[:1]]))


def solved(one: Drawn, post: int, recurrent: bool, readout: str | None, learned: bool) -> list[Tensor]:
    """Spikes or readout of the first `post` neurons, and the gradients of a loss of them."""
    pre, size, dtype = one.spikes.size, len(one.tau_mem), one.w.dtype
    times = one.spikes.times.detach().clone().requires_grad_()
    spikes = Spikes(times, one.spikes.offsets, one.spikes.trials, pre, T)
    tau_mem, tau_syn = one.tau_mem.clone().requires_grad_(learned), torch.full((size,), 5.0, dtype=dtype)
    w, d = (block.clone().requires_grad_() for block in (one.w, one.d))
    v_th, v_reset = (None, None) if readout else (torch.ones(size, dtype=dtype), torch.zeros(size, dtype=dtype))
    found, y, _ = propagate(spikes, w, d, tau_mem, tau_syn, v_th, v_reset, recurrent=recurrent, readout=readout)
    values = found.keep(torch.arange(size) < post).times / T if y is None else y[:, :post].flatten()
    (values * torch.cos(torch.arange(len(values), dtype=values.dtype))).sum().backward()
    rows = pre + post if recurrent else pre
    gradients = [times.grad, w.grad[:rows, :post], d.grad[:rows, :post], *([tau_mem.grad[:post]] if learned else [])]
    return [values.detach(), *gradients]


def in_step(one: Drawn, recurrent: bool) -> np.ndarray:
    """By source: whether its spikes arrive in step."""
    tau_syn = torch.full_like(one.tau_mem, 5.0)
    problem = propagate(one.spikes, one.w, one.d, one.tau_mem, tau_syn, recurrent=recurrent)[2].step.problem
    layer = packing.layer(problem, int(packing.longest_delay(problem)), problem.clock)
    return _packed(problem, layer).synapses.shared_delay[0] >= 0


@pytest.mark.parametrize("learned", [False, True], ids=["fixed", "learned"])
@pytest.mark.parametrize(("recurrent", "readout"), [
    pytest.param(False, None, id="feed_forward"), pytest.param(True, None, id="recurrent"),
    *((False, readout) for readout in VOLTAGE_READOUTS),
])
def test_spikes_and_gradients_are_those_of_single_arrivals(recurrent: bool, readout: str | None, learned: bool) -> None:
    listed = 0
    for seed in range(many(12, least=6)):
        one = drawn(seed, recurrent, readout is None)
        other, post = with_another_neuron(one, recurrent), len(one.tau_mem)
        listed += in_step(one, recurrent).sum()
        assert not in_step(other, recurrent).any()
        found, expected = (solved(each, post, recurrent, readout, learned) for each in (one, other))
        assert len(found[0])
        for a, b in zip(found, expected, strict=True):
            assert torch.linalg.vector_norm(a - b) <= 1e-9 * torch.linalg.vector_norm(b), seed
    assert listed > 20
