"""Recordings in windows: layers that go on from a state are layers that run the whole."""

import copy
import math
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from delayprop.fast import LI, LIF, LayerState, Spikes, Spiking
from delayprop.fast.nn import autograd
from delayprop.fast.nn.certificate import residuals
from delayprop.spec import NEURONS, SpecError, UnsupportedError
from tests.support.effort import many
from tests.support.networks.neurons import ALL, FAST

T, PRE, POST = 40.0, 3, 5
BAR = 1e-11
VALUES = {
    "tau_mem": 10.0, "tau_syn": 4.0, "tau_a": 30.0, "tau_c": 50.0, "tau_rise": 2.0, "tau_exc": 4.0, "tau_inh": 9.0,
    "beta": 0.2, "b": 0.2, "g": 2.0, "k": 0.1,
}
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


def recording(seed: int, trials: int = 2) -> Spikes:
    rng = np.random.default_rng(seed)
    spikes = Spikes.from_trains([[np.sort(rng.uniform(0, T, 6)) for _ in range(PRE)] for _ in range(trials)], T)
    return replace(spikes, times=spikes.times.requires_grad_())


Carry = Callable[[LayerState], LayerState]


def run(
    layer: Spiking, spikes: Spikes, cuts: Sequence[float] = (), carry: Carry = lambda state: state
) -> tuple[list[np.ndarray], tuple[Tensor, ...], LayerState]:
    """All spikes by (trial, neuron); the gradients of a loss of these and of the last state, by
    every parameter and by the input times; and this state."""
    state: LayerState | None = None
    loss, emitted = torch.zeros((), dtype=torch.float64), []
    for start, end in pairwise([0.0, *cuts, T]):
        given = None if state is None else carry(state)
        found, state = layer(spikes.window(start, end), given, return_state=True)
        emitted.append((start, found))
        loss = loss + (found.times + start).sin().sum()
    assert state is not None
    of_state = torch.arange(1.0, 1 + state.x.shape[2], dtype=torch.float64)
    loss = loss + (state.x * of_state).sum() + 0.01 * state.times.sum()
    trials = [np.concatenate([found.train(b, j).detach().numpy() + start for start, found in emitted])
              for b in range(len(spikes)) for j in range(layer.post)]
    return trials, torch.autograd.grad(loss, [*layer.parameters(), spikes.times]), state


def cuts_of(layer: Spiking, spikes: Spikes, whole: list[np.ndarray], seed: int) -> list[float]:
    """Two instants, a window of 1e-6 ms, a spike, an input, and the arrival of each of two."""
    rng = np.random.default_rng([seed, 1])
    inputs = rng.permutation(spikes.train(0, 0).detach().numpy())
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
        layer, spikes = layer_of(name, recurrent, seed), recording(seed)
        trains, gradients, state = run(layer, spikes)
        assert sum(map(len, trains)) > 10
        for cuts in (cuts_of(layer, spikes, trains, seed), [2.0 * n for n in range(1, 20)]):
            parts, found, last = run(layer, spikes, cuts)
            for part, train in zip(parts, trains, strict=True):
                np.testing.assert_allclose(part, train, rtol=0, atol=1e-11)
            for a, b in zip(found, gradients, strict=True):
                assert float((a - b).norm()) <= BAR * float(b.norm())
            assert float((last.x - state.x).detach().abs().max()) <= BAR and len(last.times) == len(state.times)


@RECURRENT
def test_wide_layers_in_float32(recurrent: bool) -> None:
    """Of several packs and trials."""
    layer, spikes = layer_of("lif", recurrent, 1, post=70).float(), recording(1, trials=5)
    trains, gradients, state = run(layer, spikes)
    parts, found, last = run(layer, spikes, [0.5, 11.0, 11.5, 30.0])
    assert [*map(len, parts)] == [*map(len, trains)] and len(last.times) == len(state.times)
    for a, b in zip(found, gradients, strict=True):
        assert a.dtype == b.dtype and float((a - b).norm()) <= 1e-4 * float(b.norm())


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
    layer, spikes = layer_of("lif", recurrent, 0), recording(0)
    _, whole, _ = run(layer, spikes)

    def off(carry: Carry) -> float:
        _, found, _ = run(layer, spikes, [17.0], carry)
        return max(float((a - b).norm() / b.norm()) for a, b in zip(found, whole, strict=True))

    assert off(lambda state: state) <= BAR and off(wrong) > 1e5 * BAR


def test_one_window_is_a_trial() -> None:
    for dtype in (torch.float32, torch.float64):
        layer = layer_of("lif", True, 0).to(dtype)
        spikes = recording(0)
        plain, (window, _) = layer(spikes), layer(spikes, return_state=True)
        assert len(plain.times) and torch.allclose(plain.times, window.times, rtol=0, atol=1e-9)


@pytest.mark.parametrize("readout", ["mean_voltage", "max_voltage", "exp_weighted_voltage"])
def test_readouts_are_those_of_a_window(readout: str) -> None:
    """The mean of the whole is that of the windows, and so is the largest voltage; the gradient by
    a state is the difference of the readout of the window after it."""
    torch.manual_seed(0)
    layer = LI(PRE, 2, readout=readout, tau_mem=10.0, tau_syn=4.0, dtype=torch.float64).initialise_(0.5, 1.0, 12.0)
    layer.requires_grad_()
    spikes, edges = recording(3), [0.0, 6.0, 6.5, 25.0, T]
    state, found = None, []
    for start, end in pairwise(edges):
        y, state = layer(spikes.window(start, end), state, return_state=True)
        found.append(y)
    if readout == "mean_voltage":
        share = torch.tensor(np.diff(edges) / T)
        assert_same(layer, (torch.stack(found) * share[:, None, None]).sum(0), layer(spikes))
    elif readout == "max_voltage":
        assert_same(layer, torch.stack(found).amax(0), layer(spikes))
    _, state = layer(spikes.window(0.0, 20.0), return_state=True)
    x, second = state.x.detach().requires_grad_(), spikes.window(20.0, T)
    [gradient] = torch.autograd.grad(layer(second, replace(state, x=x)).square().sum(), [x])
    direction = torch.randn_like(x)
    losses = [float(layer(second, replace(state, x=(x + step * direction).detach())).square().sum().detach())
              for step in (1e-5, -1e-5)]
    slope = (losses[0] - losses[1]) / 2e-5
    assert math.isclose(slope, float((gradient * direction).sum()), rel_tol=1e-6)


def assert_same(layer: LI, found: Tensor, true: Tensor) -> None:
    assert torch.allclose(found, true, rtol=1e-12)
    gradients = (torch.autograd.grad(one.square().sum(), [*layer.parameters()], retain_graph=True)
                 for one in (found, true))
    for a, b in zip(*gradients, strict=True):
        assert float((a - b).norm()) <= BAR * float(b.norm())


def test_a_state_is_indexed_copied_moved_and_pickled() -> None:
    layer, spikes = layer_of("alif", True, 0), recording(0, 3)
    first, second = spikes.window(0.0, 20.0), spikes.window(20.0, T)
    _, state = layer(first, return_state=True)
    assert len(state) == 3 and repr(state).startswith("LayerState(3 x 5 neurons, 3 states each, ")
    whole, _ = layer(second, state, return_state=True)
    detached = state.detach()
    for same in (pickle.loads(pickle.dumps(detached)), copy.deepcopy(detached), state.clone(), state.to("cpu")):
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
    ({"tick": 0.3}, r"`state\.tick` must be a power of two"),
    ({"ticks": torch.tensor([1])}, r"`state\.ticks` must be "),
    ({"trial": torch.tensor([2])}, r"`state\.trial` must be "),
    ({"neuron": NEURONS["alif"]}, r"`state\.neuron` must be "),
])
def test_a_state_that_does_not_fit_is_refused(change: dict[str, Any], words: str) -> None:
    layer, spikes = layer_of("lif", False, 0), recording(0)
    second = spikes.window(20.0, T)
    _, state = layer(spikes.window(0.0, 20.0), return_state=True)
    with pytest.raises(SpecError, match=words):
        layer(second, replace(state, **change))
    with pytest.raises(SpecError, match="`state` must be a `LayerState`"):
        layer(second, state.x)


def test_checks_of_whole_trials_refuse_a_window() -> None:
    layer = LIF(PRE, 2, dtype=torch.float64).initialise_(1.5, 1.0)
    first = recording(0).window(0.0, 20.0)
    spikes, _ = layer(first, return_state=True)
    spikes.times.retain_grad()
    spikes.times.sum().backward()
    with pytest.raises(UnsupportedError, match="has run on a window of a recording"):
        residuals([layer], first, spikes.times, spikes.times.grad)
    reads = LI(PRE, 2, readout="samples", times=[1.0])
    with pytest.raises(UnsupportedError, match="`state` must be left out"):
        reads(first, return_state=True)


@pytest.mark.parametrize(("start", "end", "words"), [
    (-1.0, 2.0, "`start` must be a finite number of at least 0"), (2.0, 2.0, "`end - start` must be"),
    (0.0, math.nan, "`end` must be"),
])
def test_a_window_that_is_none_is_refused(start: float, end: float, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        recording(0).window(start, end)


def one_neuron(w: float, d: float) -> LIF:
    layer = LIF(1, 1, tau_mem=10.0, tau_syn=4.0, dtype=torch.float64)
    layer.load_state_dict({"w": torch.tensor([[w]]), "d": torch.tensor([[d]])}, strict=False)
    return layer.requires_grad_()


@pytest.mark.parametrize("T", [125.0, 1010.0, 1020.0, 1023.0, 1024.0, 1500.0, 2e6])
def test_the_length_of_a_window_loses_no_spike(T: float) -> None:
    """Its bins times the ticks of a bin are more than 63 bits count."""
    layer, spikes = one_neuron(6.0, 12.0), Spikes.from_trains([[[T - 5]]], T + 40)
    _, state = layer(spikes.window(0.0, T), return_state=True)
    found, true = layer(spikes.window(T, T + 40), state), layer(spikes)
    assert len(true.times) == 1 and torch.allclose(found.times + T, true.times, rtol=1e-15)


def test_a_time_after_the_end_has_no_effect_in_the_next_window() -> None:
    times = torch.tensor([10.2, 11.1], dtype=torch.float64)
    _, state = one_neuron(6.0, 2.0)(Spikes(times, torch.tensor([0, 2]), 1, 1, 10.05), return_state=True)
    assert not len(state.times)


def test_an_arrival_at_the_cut_counts_once_where_small_numbers_are_taken_for_0() -> None:
    layer, spikes = one_neuron(3.0, 5.0), Spikes.from_trains([[[5.0]]], 40.0)
    try:
        torch.set_flush_denormal(True)
        _, state = layer(spikes.window(0.0, 10.0), return_state=True)
        assert not bool(state.x.any()) and len(state.times) == 1
        assert len(layer(spikes.window(10.0, 40.0), state).times) == len(layer(spikes).times) == 0
    finally:
        torch.set_flush_denormal(False)


def test_delays_that_change_between_windows_let_old_spikes_pass() -> None:
    """Of delays of thousands of bins, then of one."""
    layer, spikes = one_neuron(6.0, 3000.0), Spikes.from_trains([[[1.0, 2999.0]]], 3040.0)
    _, state = layer(spikes.window(0.0, 3000.0), return_state=True)
    assert len(state.times) == 2
    layer.d.data.fill_(3.0)
    found = layer(spikes.window(3000.0, 3040.0), state)
    assert torch.allclose(found.times + 3000.0, layer(Spikes.from_trains([[[2999.0]]], 3040.0)).times, rtol=1e-14)


@pytest.mark.parametrize("state", [False, True])
def test_a_window_on_a_gpu_is_refused(state: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, spikes = one_neuron(6.0, 2.0), Spikes.from_trains([[[1.0]]], 20.0)
    _, at_end = layer(spikes, return_state=True)
    monkeypatch.setattr(autograd, "on_gpu", lambda device: True)
    with pytest.raises(UnsupportedError, match="`state` must be left out on a GPU"):
        layer(spikes, at_end if state else None, return_state=True)
