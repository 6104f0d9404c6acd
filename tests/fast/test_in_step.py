"""Spikes that arrive at all neurons at once: the numbers of arrivals that are deposited one by one.

A neuron more, that nothing reads and whose delays are its own, keeps a source from having one delay
at all neurons of a pack: the other neurons are then solved by deposits.
"""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from delayprop import NEURONS, VOLTAGE_READOUTS, Spikes
from delayprop.fast.cpu.solver import _packed
from delayprop.fast.nn.autograd import propagate, propagate_neurons
from delayprop.fast.solving import packing
from tests.support.effort import many

T = 120.0  # ms
OTHERS = {"tau_syn": 5.0, "tau_exc": 3.0, "tau_inh": 7.0, "v_th": 1.0, "v_reset": 0.0}  # constants beside `tau_mem`


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


def solved(
    one: Drawn, post: int, name: str, recurrent: bool, readout: str | None, learned: bool
) -> list[Tensor]:
    """Spikes or readout of the first `post` neurons, and the gradients of a loss of them.

    `name`: of the neurons; sources take turns at the states that arrivals raise.
    """
    pre, size, dtype = one.spikes.size, len(one.tau_mem), one.w.dtype
    times = one.spikes.times.detach().clone().requires_grad_()
    spikes = Spikes(times, one.spikes.offsets, one.spikes.trials, pre, T)
    tau_mem, neuron = one.tau_mem.clone().requires_grad_(learned), NEURONS[name]
    w, d = (block.clone().requires_grad_() for block in (one.w, one.d))
    others = {each: torch.full((size,), OTHERS[each], dtype=dtype) for each in neuron.constants if each in OTHERS}
    found, y, _ = propagate_neurons(
        spikes, w, d, neuron, {"tau_mem": tau_mem, **others}, into=torch.arange(len(w)) % len(neuron.arrivals),
        recurrent=recurrent, readout=readout,
    )
    values = found.keep(torch.arange(size) < post).times / T if y is None else y[:, :post].flatten()
    (values * torch.cos(torch.arange(len(values), dtype=values.dtype))).sum().backward()
    rows = pre + post if recurrent else pre
    gradients = [times.grad, w.grad[:rows, :post], d.grad[:rows, :post], *([tau_mem.grad[:post]] if learned else [])]
    return [values.detach(), *gradients]


def in_step(one: Drawn, recurrent: bool) -> np.ndarray:
    """By source: whether its spikes arrive in step."""
    tau_syn = torch.full_like(one.tau_mem, 5.0)
    problem = propagate(one.spikes, one.w, one.d, one.tau_mem, tau_syn, recurrent=recurrent)[2].problem
    layer = packing.layer(problem, int(problem.longest_delay), problem.clock)
    return _packed(problem, layer).synapses.shared_delay[0] >= 0


@pytest.mark.parametrize("learned", [False, True], ids=["fixed", "learned"])
@pytest.mark.parametrize(("name", "recurrent", "readout"), [
    pytest.param("lif", False, None, id="feed_forward"), pytest.param("lif", True, None, id="recurrent"),
    *(("li", False, readout) for readout in VOLTAGE_READOUTS),
    pytest.param("two-synapses", False, None, marks=pytest.mark.full),
    pytest.param("two-synapses", True, None, marks=pytest.mark.full),
])
def test_spikes_and_gradients_are_those_of_single_arrivals(
    name: str, recurrent: bool, readout: str | None, learned: bool
) -> None:
    listed = 0
    for seed in range(many(12, least=6)):
        one = drawn(seed, recurrent, readout is None)
        other, post = with_another_neuron(one, recurrent), len(one.tau_mem)
        listed += in_step(one, recurrent).sum()
        assert not in_step(other, recurrent).any()
        found, expected = (solved(each, post, name, recurrent, readout, learned) for each in (one, other))
        assert len(found[0])
        for a, b in zip(found, expected, strict=True):
            assert torch.linalg.vector_norm(a - b) <= 1e-9 * torch.linalg.vector_norm(b), seed
    assert listed > 20
