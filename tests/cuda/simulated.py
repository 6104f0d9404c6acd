"""The CUDA kernels on a GPU that Numba simulates; `test_cuda_simulator.py` runs this file apart.

Numba chooses the simulator at import, for a whole process. Then the CUDA kernels solve every layer
of `fast`. Blocks have few threads, which are Python threads, and several neurons per thread.
"""

from collections.abc import Iterator
from unittest import mock

import numpy as np
import pytest
import torch
from torch import Tensor

import delayprop.reference as reference
from delayprop.fast import Spikes, propagate
from delayprop.fast.cuda import launches, workspace
from delayprop.fast.run import run_case
from delayprop.spec import Case
from tests.support.comparison import assert_not_all_zero, assert_same_results
from tests.support.networks.documents import cross_entropy, li, lif, read, wire
from tests.support.networks.neurons import network
from tests.support.networks.spike_bounds import assert_average_counts, assert_bounded
from tests.support.networks.strategies import families, seeded_case
from tests.support.simulated_gpu import small_blocks
from tests.support.tolerances import U32, U64

SEEDS = 2
ROUNDOFF = {"float64": U64, "float32": U32}
FEW = 6.0  # a weight with which a neuron of `busy_layer` spikes 7 times
every_order = pytest.mark.parametrize("own", [False, True], ids=["feed-forward", "recurrent"])


@pytest.fixture(autouse=True)
def on_cuda() -> Iterator[None]:
    """Blocks of 3 threads that wait for each other; asserts that the CUDA kernels run."""
    small_blocks()
    with mock.patch.object(launches, "launch", wraps=launches.launch) as launch:
        yield
    assert launch.called


def agree(case: Case, precision: str) -> None:
    found, true = run_case(case, precision), reference.run(case)
    assert precision == "float32" or found.ties == true.ties
    assert_same_results(case, found, true, u=ROUNDOFF[precision])


@pytest.mark.parametrize("precision", ROUNDOFF)
@pytest.mark.parametrize("family", families())
def test_seeded_networks(family: str, precision: str) -> None:
    """Every kind of network, readout and loss; gradients of all parameters and input times."""
    for seed in range(SEEDS):
        agree(seeded_case(seed, family), precision)


@pytest.mark.parametrize("recurrent", [False, True], ids=["feed-forward", "recurrent"])
@pytest.mark.parametrize("name", ["alif", "two-adaptations", "rise", "coupled", "two-synapses", "adapting", "three"])
def test_neurons_given_by_equations(name: str, recurrent: bool) -> None:
    """With one and with two other states; gradients of every constant."""
    agree(network(name, 0, "first_spike_time", recurrent), "float64")


@pytest.mark.parametrize("loss", ["max_voltage", "mean_voltage", "exp_weighted_voltage", "spikes"])
@pytest.mark.parametrize("recurrent", [False, True], ids=["feed-forward", "recurrent"])
def test_more_neurons_than_threads(loss: str, recurrent: bool) -> None:
    """Per readout: a layer of several packs, the last not full; one neuron has no synapses."""
    rng, post = np.random.default_rng(3), 8 if recurrent else 70
    out = lif("out", post) if loss == "spikes" or recurrent else li("out", post)
    out |= {"tau_mem": rng.uniform(8.0, 20.0, post).tolist(), "tau_syn": rng.uniform(2.0, 8.0, post).tolist()}
    w = [[None if j == 7 else x for j, x in enumerate(row)] for row in rng.normal(2.0, 1.0, (3, post)).tolist()]
    wires = [wire("in", "out", w, rng.uniform(0.0, 6.0, (3, post)).tolist())]
    if recurrent:
        wires.append(wire("out", "out", rng.normal(0.0, 0.1, (post, post)).tolist(), 1.5))
    targets = [[5.0] * (j % 2) for j in range(post)]
    spike_times = {"kind": "spike_time_mse", "population": "out", "targets": targets}
    chosen = spike_times if loss == "spikes" else cross_entropy(loss, 1)
    case = read(8.0, [[0.7, 3.1], [1.9], [2.6, 3.3]], [out], wires, chosen)
    true = reference.run(case)
    assert_not_all_zero(case, true.gradients)
    assert_same_results(case, run_case(case), true)


Gradients = list[Tensor]


def batch(trials: int, dtype: torch.dtype, own: bool, learn_tau: bool = True) -> Gradients:
    """Outputs and gradients of a layer of 8 neurons over random trials, the last silent."""
    draw = torch.Generator().manual_seed(5)
    trains = [
        [sorted((30.0 * torch.rand(4, generator=draw, dtype=torch.float64)).tolist()) for _ in range(6)]
        for _ in range(trials - 1)
    ]
    spikes = Spikes.from_trains([*trains, [[]] * 6], 30.0)
    rows = 14 if own else 6
    w = 0.8 * torch.rand(rows, 8, generator=draw, dtype=dtype)
    w[6:] *= 0.2
    d = 9.0 * torch.rand(rows, 8, generator=draw, dtype=dtype)
    constants = [torch.full((8,), value, dtype=dtype) for value in (10.0, 4.0, 1.0, 0.0)]
    free = [spikes.times, w, d, *(constants if learn_tau else constants[2:])]
    for tensor in free:
        tensor.requires_grad_()
    emitted, y, _ = propagate(spikes, w, d, *constants, recurrent=own, readout="max_voltage")
    counts = emitted.counts()
    assert int(counts.max()) > 1 and int(counts[-1].max()) == 0
    loss = emitted.times.square().sum() + y.square().sum()
    return [emitted.times.detach(), y.detach(), *torch.autograd.grad(loss, free)]


def assert_close(found: Gradients, expected: Gradients, u: float) -> None:
    """Asserts equality to the rounding of sums in another order."""
    for one, other in zip(found, expected, strict=True):
        assert float((one.double() - other.double()).norm()) <= 1e3 * u * float(other.double().norm())


@pytest.mark.parametrize(("own", "precision"), [
    pytest.param(False, "float64", id="feed-forward-float64"),
    pytest.param(False, "float32", id="feed-forward-float32", marks=pytest.mark.full),
    pytest.param(True, "float64", id="recurrent-float64", marks=pytest.mark.full),
    pytest.param(True, "float32", id="recurrent-float32", marks=pytest.mark.full),
])
def test_results_do_not_depend_on_room(own: bool, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bitwise repeatable, also with room for one spike at first, and in waves of one trial."""
    dtype, trials = getattr(torch, precision), 3 if own else 5
    monkeypatch.setattr(workspace, "_needed", {})
    ample = batch(trials, dtype, own)
    assert all(map(torch.equal, ample, batch(trials, dtype, own)))
    monkeypatch.setattr(workspace, "_needed", {})
    monkeypatch.setattr(workspace, "FIRST_ROOM", 1)
    grown = batch(trials, dtype, own)
    assert workspace._needed, "the first room must be too small"
    assert all(map(torch.equal, ample, grown))
    monkeypatch.setattr(workspace, "MEMORY", 1)
    small = batch(trials, dtype, own)
    assert all(map(torch.equal, ample[:2], small[:2]))
    assert_close(small, ample, ROUNDOFF[precision])
    monkeypatch.setattr(workspace, "MEMORY", 100_000)
    assert_close(batch(trials, dtype, own), ample, ROUNDOFF[precision])


@every_order
def test_gradients_without_those_of_time_constants(own: bool) -> None:
    """Gradients without these take another path through the kernel, with equal results."""
    whole, part = batch(3, torch.float64, own), batch(3, torch.float64, own, learn_tau=False)
    del whole[5:7]
    assert_close(part, whole, U64)


@every_order
def test_a_neuron_that_spikes_without_end_is_an_error(own: bool) -> None:
    spikes = Spikes.from_trains([[[1.0]], [[]]], 20.0)
    w = torch.zeros(3 if own else 1, 2)
    w[0, 1] = 1e12
    constants = [torch.full((2,), value) for value in (20.0, 5.0, 1.0, 0.0)]
    with pytest.raises(ArithmeticError, match="neuron 1 of a layer spikes too fast, or without end; lower its weights"):
        propagate(spikes, w, torch.zeros_like(w), *constants, recurrent=own)


@pytest.mark.parametrize("first_room", [1, 300], ids=["little room", "much room"])
@pytest.mark.parametrize(("own", "neurons"), [(False, 5), (True, 2)], ids=["feed-forward", "recurrent"])
def test_the_bound_is_exact(own: bool, neurons: int, first_room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "_needed", {})
    monkeypatch.setattr(workspace, "FIRST_ROOM", first_room)
    assert_bounded(own, neurons, monkeypatch, trials=1, w=FEW, least=5)


@every_order
def test_the_bound_is_that_of_the_average_in_each_trial(own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_average_counts(own, monkeypatch, w=FEW)
