"""Recordings in windows: layers that go on from a state are layers that run the whole."""

import copy
import math
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from delayprop.fast import LI, LIF, LayerState, Spikes, Spiking
from delayprop.fast.nn.certificate import residuals
from delayprop.fast.nn.rounding import rounding
from delayprop.spec import NEURONS, SpecError, UnsupportedError
from tests.support.effort import many
from tests.support.networks.neurons import ALL, FAST

T, PRE, POST = 40.0, 3, 5
BAR = 1e-11
VALUES = {"tau_a": 30.0, "tau_c": 50.0, "tau_rise": 2.0, "tau_exc": 4.0, "tau_inh": 9.0, "beta": 0.2, "b": 0.2, "g": 2.0,
          "k": 0.1, "tau_mem": 10.0, "tau_syn": 4.0}
SEEDS = many(3)
NAMES = ["lif", *(pytest.param(name, marks=pytest.mark.full if name in ("alif", "two-synapses", "mixed")
                               else pytest.mark.release) for name in FAST[1:])]
RECURRENT = pytest.mark.parametrize("recurrent", [False, True], ids=["feed-forward", "recurrent"])


def layer_of(name: str, recurrent: bool, seed: int, post: int = POST) -> Spiking:
    """A layer of float64 whose neurons spike a few times, with masks, and all of whose parameters
    learn."""
    torch.manual_seed(seed)
    neuron = ALL[name]
    given: dict[str, Any] = {one: value for one, value in VALUES.items() if one in neuron.constants}
    for word, size in (("mask", PRE), ("mask_rec", post)):
        if seed % 2 and (recurrent or word == "mask"):
            given[word] = torch.rand(size, post) < 0.8
    sources = {"into": PRE, **({"into_rec": post} if recurrent else {})}
    given |= {of: [neuron.arrivals[n % len(neuron.arrivals)] for n in range(size)] for of, size in sources.items()}
    layer = Spiking(PRE, post, neuron=neuron, recurrent=recurrent, dtype=torch.float64, constants={
        one: given.pop(one) for one in list(given) if one in neuron.constants}, **given)
    layer.initialise_(1.5, 1.0, 12.0)
    if recurrent:
        layer.initialise_recurrent_(0.0, 0.4, 12.0)
    with torch.no_grad():
        layer.w.mul_({"rise": 1.6, "turning": 0.2, "mixed": 2.0, "adapting": 2.0}.get(name, 1.0))
    return layer.requires_grad_()


def recording(seed: int, trials: int = 2) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [[np.sort(rng.uniform(0, T, 6)) for _ in range(PRE)] for _ in range(trials)]


def windows(trains: Sequence[Sequence[np.ndarray]], cuts: Sequence[float]) -> Iterator[tuple[float, Spikes]]:
    """The start and the spikes of each window; one at a cut belongs to the window before."""
    for start, end in pairwise([0.0, *cuts, T]):
        found = [[train[(train > start if start else train >= 0) & (train <= end)] - start for train in trial]
                 for trial in trains]
        counts = np.cumsum([0, *(len(train) for trial in found for train in trial)])
        times = torch.tensor(np.concatenate([train for trial in found for train in trial]), requires_grad=True)
        yield start, Spikes(times, torch.tensor(counts), len(trains), PRE, end - start)


Carry = Callable[[LayerState], LayerState]


def run(
    layer: Spiking, trains: Sequence[Sequence[np.ndarray]], cuts: Sequence[float] = (),
    carry: Carry = lambda state: state,
) -> tuple[list[np.ndarray], list[Tensor], LayerState]:
    """All spikes by (trial, neuron); the gradients of a loss of these and of the last state, by
    every parameter and by the times of each source in order; and this state."""
    state, loss, given, emitted = None, torch.zeros((), dtype=torch.float64), [], []
    for start, spikes in windows(trains, cuts):
        given.append(spikes)
        found, state = layer(spikes, None if state is None else carry(state), return_state=True)
        emitted.append((start, found))
        loss = loss + (found.times + start).sin().sum()
    assert state is not None
    of_state = torch.arange(1.0, 1 + state.x.shape[2], dtype=torch.float64)
    loss = loss + (state.x * of_state).sum() + 0.01 * state.times.sum()
    gradients = torch.autograd.grad(loss, [*layer.parameters(), *(one.times for one in given)])
    parameters = len(list(layer.parameters()))
    by_train = [[] for _ in range(len(trains) * PRE)]
    for spikes, gradient in zip(given, gradients[parameters:], strict=True):
        for k, part in enumerate(gradient.split(spikes.offsets.diff().tolist())):
            by_train[k].append(part)
    times = [torch.cat(parts) for parts in by_train]
    trials = [np.concatenate([found.train(b, j).detach().numpy() + start for start, found in emitted])
              for b in range(len(trains)) for j in range(layer.post)]
    return trials, [*gradients[:parameters], torch.cat(times)], state


def cuts_of(layer: Spiking, trains: Sequence[Sequence[np.ndarray]], whole: list[np.ndarray], seed: int) -> list[float]:
    """Two instants, a window of 1e-6 ms, a spike, an input, and the arrival of each of two."""
    rng = np.random.default_rng([seed, 1])
    inputs = rng.permutation(trains[0][0])
    emitted = rng.permutation(np.concatenate(whole[: layer.post]))
    found = [*rng.uniform(0, T, 2), *emitted[:1], inputs[0], inputs[1] + float(layer.d[0, 0].detach())]
    if layer.d_rec is not None and len(whole[0]):
        found.append(whole[0][0] + float(layer.d_rec[0, 1].detach()))
    return sorted({t for t in (*found, found[0] + 1e-6) if 0 < t < T})


@RECURRENT
@pytest.mark.parametrize("name", NAMES)
def test_windows_are_the_whole_recording(name: str, recurrent: bool) -> None:
    """The largest relative difference of a gradient, over cuts at any instant and at events."""
    for seed in range(SEEDS):
        layer, trains = layer_of(name, recurrent, seed), recording(seed)
        spikes, gradients, state = run(layer, trains)
        assert sum(map(len, spikes)) > 10
        for cuts in (cuts_of(layer, trains, spikes, seed), [2.0 * n for n in range(1, 20)]):
            parts, found, last = run(layer, trains, cuts)
            for a, b in zip(parts, spikes, strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-11)
            for a, b in zip(found, gradients, strict=True):
                assert float((a - b).norm()) <= BAR * float(b.norm())
            assert float((last.x - state.x).detach().abs().max()) <= BAR and len(last.times) == len(state.times)


def _lost(state: LayerState) -> LayerState:
    return replace(state, times=state.times[1:], ticks=state.ticks[1:], trial=state.trial[1:], source=state.source[1:])


def _of_the_other_trial(state: LayerState) -> LayerState:
    return replace(state, x=state.x.flip(0))


def _late(state: LayerState) -> LayerState:
    return replace(state, ticks=state.ticks + round(-1e-6 / state.tick))


def _without_graph(state: LayerState) -> LayerState:
    return state.detach()


@RECURRENT
@pytest.mark.parametrize("wrong", [_lost, _of_the_other_trial, _late, _without_graph])
def test_control_a_wrong_state_is_found(wrong: Carry, recurrent: bool) -> None:
    layer, trains = layer_of("lif", recurrent, 0), recording(0)
    whole, right, faulty = run(layer, trains), run(layer, trains, [17.0]), run(layer, trains, [17.0], wrong)

    def off(found: tuple[list[np.ndarray], list[Tensor], LayerState]) -> float:
        return max(float((a - b).norm() / b.norm()) for a, b in zip(found[1], whole[1], strict=True))

    assert off(right) <= BAR and off(faulty) > 1e5 * BAR


def test_a_state_that_is_unused_changes_no_bit() -> None:
    """Of layers that cut no recording, in float32 and float64."""
    for dtype in (torch.float32, torch.float64):
        layer = layer_of("lif", True, 0).to(dtype)
        [(_, spikes)] = windows(recording(0), ())
        plain, (window, _) = layer(spikes), layer(spikes, return_state=True)
        assert len(plain.times) and torch.allclose(plain.times, window.times, rtol=0, atol=1e-9)


@pytest.mark.parametrize("readout", ["mean_voltage", "max_voltage", "exp_weighted_voltage"])
def test_readouts_are_those_of_a_window(readout: str) -> None:
    """A mean over windows is that of the whole, the largest voltage the largest of theirs; and the
    gradients of a later window are differences of its readout, by the state as well."""
    torch.manual_seed(0)
    layer = LI(PRE, 2, readout=readout, tau_mem=10.0, tau_syn=4.0, dtype=torch.float64).initialise_(0.5, 1.0, 12.0)
    layer.requires_grad_()
    trains, cuts = recording(3), [6.0, 6.5, 25.0]
    (_, whole), *_ = windows(trains, ())
    state, found, length = None, [], []
    for start, spikes in windows(trains, cuts):
        y, state = layer(spikes, state, return_state=True)
        found.append(y)
        length.append(spikes.duration)
    y, w = layer(whole), torch.tensor(length)
    if readout == "mean_voltage":
        together = (torch.stack(found) * w[:, None, None]).sum(0) / T
    elif readout == "max_voltage":
        together = torch.stack(found).amax(0)
    else:  # each window weighs from its own start on
        return _by_differences(layer, trains, cuts)
    assert torch.allclose(together, y, rtol=1e-12)
    for a, b in zip(*(torch.autograd.grad(one.square().sum(), [*layer.parameters()]) for one in (together, y)),
                    strict=True):
        assert float((a - b).norm()) <= BAR * float(b.norm())
    _by_differences(layer, trains, cuts)


def _by_differences(layer: LI, trains: Sequence[Sequence[np.ndarray]], cuts: Sequence[float]) -> None:
    (_, first), (_, second), *_ = windows(trains, [20.0])
    _, state = layer(first, return_state=True)
    x = state.x.detach().requires_grad_()
    given = replace(state.detach(), x=x)
    y = layer(second, given)
    [gradient] = torch.autograd.grad(y.square().sum(), [x])
    direction = torch.randn_like(x)
    losses = [float(layer(second, replace(given, x=(x + step * direction).detach())).square().sum().detach())
              for step in (1e-5, -1e-5)]
    slope = (losses[0] - losses[1]) / 2e-5
    assert math.isclose(slope, float((gradient * direction).sum()), rel_tol=1e-6)


def test_a_state_is_indexed_copied_moved_and_pickled() -> None:
    layer, trains = layer_of("alif", True, 0), recording(0, 3)
    (_, first), (_, second), *_ = windows(trains, [20.0])
    _, state = layer(first, return_state=True)
    assert len(state) == 3 and repr(state).startswith("LayerState(3 trials, 5 neurons of 3 states, ")
    whole, _ = layer(second, state, return_state=True)
    for same in (pickle.loads(pickle.dumps(state.detach())), copy.deepcopy(state.detach()), state.clone(), state.to("cpu")):
        assert layer(second, same) == whole
    assert layer(second[[2, 0]], state[[2, 0]]) == whole[[2, 0]]
    assert layer(second[1], state[1]) == whole[1]
    with pytest.raises(SpecError, match="`trials`"):
        state[[]]


@pytest.mark.parametrize(("change", "words"), [
    ({"x": torch.full((2, POST, 2), math.nan, dtype=torch.float64)}, r"`state\.x` must be finite"),
    ({"x": torch.full((2, POST, 2), 1.5, dtype=torch.float64)}, r"`state\.x` must be of levels up to 1"),
    ({"x": torch.zeros(3, POST, 2, dtype=torch.float64)}, r"`state\.x\.shape` must be \[2, 5, 2\]"),
    ({"x": torch.zeros(2, POST, 2)}, r"`state\.x\.dtype` must be torch\.float64"),
    ({"rows": 4}, r"`state\.rows` must be 3"),
    ({"neuron": NEURONS["alif"]}, r"`state\.neuron` must be "),
])
def test_a_state_that_does_not_fit_is_refused(change: dict[str, Any], words: str) -> None:
    layer = layer_of("lif", False, 0)
    (_, first), (_, second), *_ = windows(recording(0), [20.0])
    _, state = layer(first, return_state=True)
    with pytest.raises(SpecError, match=words):
        layer(second, replace(state, **change))
    with pytest.raises(SpecError, match="`state` must be a `LayerState`"):
        layer(second, state.x)


def test_checks_of_whole_trials_refuse_a_window() -> None:
    layer = LIF(PRE, 2, dtype=torch.float64).initialise_(1.5, 1.0)
    (_, first), *_ = windows(recording(0), [20.0])
    spikes, _ = layer(first, return_state=True)
    spikes.times.retain_grad()
    spikes.times.sum().backward()
    for refused in (lambda: residuals([layer], first, spikes.times, spikes.times.grad), lambda: rounding([layer])):
        with pytest.raises(UnsupportedError, match="has run on a window of a recording"):
            refused()
    reads = LI(PRE, 2, readout="samples", times=[1.0])
    with pytest.raises(UnsupportedError, match="`state` must be left out"):
        reads(first, return_state=True)
