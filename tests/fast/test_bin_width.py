"""Bins are narrower than usual where many arrivals would share one (`fast.cpu.bin_width`)."""

import math
from dataclasses import replace

import pytest
import torch

from delayprop.fast import LIF, Spikes
from delayprop.fast.cpu import solver
from delayprop.fast.cpu.bin_width import with_narrow_bins
from delayprop.fast.solving.problem import Problem
from delayprop.spec import NEURONS
from tests.support.runs.reading import Patch


def problem_of(
    inputs: int, post: int = 8, loop: float | None = None, delay: float = 1.0, duration: float = 1000.0,
    neuron: str = "lif", readout: str | None = None, tau_syn: float = 5.0,
) -> Problem:
    """`inputs` onto each of `post` neurons, which loops of `loop` ms join. Usual bins are 1 ms."""
    w = torch.zeros(inputs + (0 if loop is None else post), post)
    d = torch.full_like(w, delay)
    d[inputs:] = loop or 0.0
    values = {"tau_mem": 4 * tau_syn, "tau_syn": tau_syn, "v_th": 1.0, "v_reset": 0.0}
    constants = tuple(torch.full((post,), values[name]) for name in NEURONS[neuron].constants)
    spikes = torch.zeros(0, dtype=torch.float64), torch.zeros(inputs + 1, dtype=torch.int64)
    return Problem(*spikes, 1, inputs, duration, w, d, None, NEURONS[neuron], constants, readout)


@pytest.mark.parametrize(("problem", "width"), [
    (problem_of(500), 1.0), (problem_of(501), 0.5), (problem_of(1001), 0.25), (problem_of(9000), 0.0625),
    (problem_of(0), 1.0), (problem_of(0, post=1, loop=0.1), 1.0),
    (problem_of(8, 8, loop=0.1), 1.0), (problem_of(8, 9, loop=0.1), 0.5), (problem_of(8, 300, loop=0.1), 0.0625),
    (problem_of(8, 300, loop=1.0), 1.0), (problem_of(8, 300, loop=2000.0), 1.0),
    (problem_of(9000, tau_syn=20.0, duration=4000.0), 0.25),  # in another unit of time
    (problem_of(9000, duration=2.0**19), 0.5), (problem_of(9000, duration=2.0**19 + 1), 1.0),  # long trials
    (problem_of(9000, delay=2.0**14, duration=2.0**15), 0.125),  # many bins ahead, of the lanes of a pack
    (problem_of(8, 512, loop=0.1, delay=1000.0), 0.125),  # of all packs, which a recurrent layer sweeps at once
    (problem_of(9000, delay=math.inf), 0.0625), (problem_of(9000, delay=1001.0), 0.0625),
    (problem_of(9000, neuron="li", readout="mean_voltage"), 1.0),  # never solved event by event
    (problem_of(9000, neuron="li", readout="max_voltage"), 0.0625),
    (replace(problem_of(9000), bin_width=0.5), 0.5),
])
def test_sizes_and_delays_choose_the_width(problem: Problem, width: float) -> None:
    assert with_narrow_bins(problem).width == width
    if problem.bin_width is None:  # as many synapses that do not exist change nothing
        exists = torch.zeros_like(problem.w, dtype=torch.bool)
        w, d = (torch.cat([torch.full_like(part, math.nan), part]) for part in (problem.w, problem.d))
        sources = len(problem.w) + problem.sources
        masked = replace(problem, w=w, d=d, sources=sources, exists=torch.cat([exists, ~exists]))
        assert with_narrow_bins(masked).width == width


def test_narrow_bins_change_rounding_alone(monkeypatch: Patch) -> None:
    """Loops of 0.1 ms among 12 neurons: usual bins hold several spikes of one chain of causes."""
    layer = LIF(4, 12, recurrent=True, max_delay=20.0, dtype=torch.float64)
    random = torch.Generator().manual_seed(1)
    layer.initialise_(1.5, 0.3, 5.0, random)
    layer.initialise_recurrent_(0.05, 0.05, 0.1, random)
    spikes = Spikes.from_trains([[[1.0 + n, 9.0 + 2 * n, 20.0] for n in range(4)]], 40.0)
    outcomes: list[list[torch.Tensor]] = []
    widths: list[float] = []

    def chosen(problem: Problem) -> Problem:
        widths.append(with_narrow_bins(problem).width)
        return problem if outcomes else with_narrow_bins(problem)

    monkeypatch.setattr(solver, "with_narrow_bins", chosen)
    for _ in range(2):
        emitted = layer(spikes)
        outcomes.append([emitted.times, *torch.autograd.grad(emitted.times.sum(), [layer.d, layer.w, layer.w_rec])])
    assert widths == [0.5, 0.5] and len(outcomes[0][0]) > 24
    for narrow, usual in zip(*outcomes, strict=True):
        assert torch.allclose(narrow, usual, rtol=1e-9, atol=1e-12)
