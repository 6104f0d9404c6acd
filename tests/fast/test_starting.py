"""A first network: weights at which neurons spike; a silent one warns, once."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch

from delayprop.fast import LI, LIF, Network, Spikes
from delayprop.fast.nn.calibration import scale_for
from delayprop.fast.nn.interchange import network_of
from delayprop.fast.nn.spiking_layer import SilentLayerWarning
from delayprop.spec import SpecError
from tests.support.networks.layers import filled, first_layer, given_spikes


def poisson(size: int, rate: float, burst: bool = False) -> Spikes:
    """`rate`: spikes per source and trial; in a burst they all come within 20 ms."""
    random = np.random.default_rng(size)
    end = 20.0 if burst else 200.0
    trains = [[np.sort(random.uniform(0, end, random.poisson(rate))) for _ in range(size)] for _ in range(3)]
    return Spikes.from_trains(trains, 200.0)


@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.float64, marks=pytest.mark.full)])
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize(("pre", "post", "given", "rate"), [
    (1, 5, 20.0, 2.0), (10, 40, 5.0, 1.0), (100, 40, 10.0, 5.0), (300, 3, 0.1, 4.0),
    pytest.param(300, 128, 4.0, 10.0, marks=pytest.mark.full),
])
def test_first_weights_give_the_rate(
    pre: int, post: int, given: float, rate: float, recurrent: bool, dtype: torch.dtype
) -> None:
    """On stationary input and on a burst."""
    for burst in (False, True):
        spikes = poisson(pre, given, burst=burst)
        layer = LIF(pre, post, recurrent=recurrent, max_delay=20.0, dtype=dtype)
        if recurrent:
            layer.initialise_recurrent_(0.0, 0.2, 5.0, torch.Generator().manual_seed(1))
        assert layer.initialise_for_(spikes, rate, 10.0, torch.Generator().manual_seed(0)) is layer
        assert float(layer(spikes).counts().double().mean()) == pytest.approx(rate, rel=0.1, abs=1.5 / post)
        assert 0 < float(layer.d.detach().max()) <= 10.0 and float(layer.w.detach().std()) > 0


def test_one_generator_gives_one_layer() -> None:
    spikes = poisson(20, 5.0)
    made = [LIF(20, 10).initialise_for_(spikes, 3.0, 5.0, torch.Generator().manual_seed(n)) for n in (0, 0, 1)]
    assert torch.equal(made[0].w, made[1].w) and torch.equal(made[0].d, made[1].d)
    assert not torch.equal(made[0].w, made[2].w)


def test_the_search_ends_near_a_rate_that_jumps() -> None:
    """From 0 to 8 spikes at a scale of 3: the nearer of the two is taken."""
    assert scale_for(7.0, lambda scale: 8.0 if scale >= 3 else 0.0, 1.0) >= 3
    assert scale_for(1.0, lambda scale: 8.0 if scale >= 3 else 0.0, 1.0) < 3
    with pytest.raises(SpecError, match=r"`rate` is 9 spikes per neuron and trial, and no weights reach more than 8"):
        scale_for(9.0, lambda scale: 8.0, 1.0)


def silent() -> LIF:
    return LIF(3, 2, dtype=torch.float64)


def test_a_silent_layer_that_learns_warns_once() -> None:
    layer, cause = silent(), "no neuron of a LIF layer of 2 spikes, so no gradient passes through it"
    remedy = r"draw its weights with `layer.initialise_for_\(spikes, rate=5\)`"
    with pytest.warns(SilentLayerWarning, match=f"{cause}; {remedy}"):
        layer(given_spikes())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(given_spikes())
        silent()(given_spikes()[2])  # it receives nothing
        silent().requires_grad_(False)(given_spikes())
        first_layer()(given_spikes())
        with torch.no_grad():
            silent()(given_spikes())


@pytest.mark.parametrize(("late", "cause"), [(12, "carry all spikes beyond `duration`, 16 ms; give longer trials"), (
    11, r"passes through it; draw its weights with `layer.initialise_for_",
)])
def test_a_layer_silenced_by_its_delays_names_them(late: int, cause: str) -> None:
    """Of 12 arrivals, all or all but one come after the trial."""
    layer = filled(silent(), [[0.1] * 2] * 3, [[20.0] * 2, [20.0, 20.0 if late == 12 else 13.0], [20.0] * 2])
    spikes = Spikes.from_trains([[[1.0], [2.0], [3.0]], [[4.0], [], [9.0, 9.5]]], 16.0)
    with pytest.warns(SilentLayerWarning, match=cause):
        layer(spikes)


@pytest.mark.parametrize("name", ["tau_mem", "tau_syn"])
def test_time_constants_in_seconds_are_warned_of(name: str) -> None:
    with pytest.warns(UserWarning, match=rf"`{name}` is 0\.02 ms, which looks like seconds"):
        LI(2, 2, readout="max_voltage", **{name: 0.02})  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "call"), [
    ("max_delay", lambda: LIF(2, 2, max_delay=0.02)), ("d_max", lambda: LIF(2, 2).initialise_(0.0, 1.0, 0.02)),
    ("d_max", lambda: LIF(2, 2, recurrent=True).initialise_recurrent_(0.0, 1.0, 0.15)),
])
def test_delays_in_seconds_are_warned_of(name: str, call: Callable[[], LIF]) -> None:
    with pytest.warns(UserWarning, match=rf"`{name}` is 0\.\d+ ms, which looks like seconds: .* s are (20|150)$"):
        call()


@pytest.mark.parametrize("as_network", [False, True])
@pytest.mark.parametrize("seconds", [0.05, 0.0999])
def test_given_delays_in_seconds_are_warned_of(seconds: float, as_network: bool) -> None:
    """The largest of a layer, or of a network, also without a bound."""
    layer, spikes = LIF(2, 2), Spikes.from_trains([[[1.0], [2.0]]], 200.0)
    layer.d.data = torch.tensor([[0.0, seconds], [0.01, 0.02]])
    solve = Network(network_of([layer])) if as_network else layer
    with pytest.warns(UserWarning, match=rf"`d\.max\(\)` is {seconds}\d* ms, which looks like seconds: .* s are "):
        solve(spikes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solve(spikes)  # once, and delays that learn from 0 pass through small ones


def test_no_delays_and_the_least_ones_of_a_loop_pass_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LIF(2, 2, max_delay=0.0).initialise_(0.0, 1.0, 0.0)
        LIF(2, 2, max_delay=1.0, recurrent=True).initialise_recurrent_(0.0, 1.0, 0.1).initialise_(0.0, 1.0, 1.0)
