"""The adjoint of any linear neuron: mistakes in its claims are refuted, for each neuron."""

from collections.abc import Callable
from typing import Any

import pytest
import sympy as sp

from delayprop.derivations import linear_neuron
from delayprop.derivations.linear_neuron import LinearNeuron
from delayprop.derivations.neuron import residuals
from delayprop.derivations.proof import simplest
from delayprop.derivations.symbols import dL_dt_post, w
from delayprop.spec.neuron import LIF, NEURONS, Neuron


def one_slope(n: LinearNeuron) -> sp.Expr:
    """The slope after the spike taken for that before it."""
    return (n.p.dot(n.R * n.A * n.x - n.A * n.x) + dL_dt_post) / n.c.dot(n.A * n.x)


def without_reset(n: LinearNeuron) -> sp.Matrix:
    return n.p - linear_neuron.spike_shift(n) * n.c


def of_the_reset_state(n: LinearNeuron, theta: sp.Symbol) -> sp.Expr:
    moved = sp.diff(n.R, theta) * n.x + sp.diff(n.r, theta)
    return n.p.dot(moved) + linear_neuron.spike_shift(n) * sp.diff(n.v_th, theta)


SPIKING = tuple(name for name, one in NEURONS.items() if one.spike is not None)
MISTAKES: dict[str, tuple[str, Callable[..., Any], tuple[str, ...]]] = {
    "A for its transpose": ("adjoint_slope", lambda n: -n.A * n.p, tuple(NEURONS)),
    "sign of the adjoint": ("adjoint_slope", lambda n: n.A.T * n.p, tuple(NEURONS)),
    "sign of a gradient": (
        "gradient_between_events", lambda n, theta: -n.p.dot(sp.diff(n.A, theta) * n.x), tuple(NEURONS)
    ),
    "sign of a delay": (
        "at_arrival", lambda n, s: (n.arrivals[s].dot(n.p), w * (n.A * n.arrivals[s]).dot(n.p)), tuple(NEURONS)
    ),
    "one slope for both sides": ("spike_shift", one_slope, SPIKING),
    "the reset forgotten": ("before_spike", without_reset, SPIKING),
    "the state in the threshold forgotten": ("gradient_at_spike", of_the_reset_state, ("alif",)),
}
"""By name: the claim, the wrong one, and the neurons that show it."""


@pytest.mark.parametrize(("mistake", "name"), [(m, name) for m, (_, _, names) in MISTAKES.items() for name in names])
def test_a_mistake_is_refuted(mistake: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    claim, wrong, _ = MISTAKES[mistake]
    monkeypatch.setattr(linear_neuron, claim, wrong)
    assert any(simplest(left) != 0 for one in residuals(NEURONS[name]).values() for left in sp.Matrix([one]))


def test_equations_of_a_stranger_are_proved() -> None:
    """Two adaptation currents, of which one moves the threshold, and a reset by subtraction."""
    neuron = Neuron(
        {"V": "(I - V - a) / tau", "I": "-I / tau_s", "a": "(k * V - a) / tau_a", "b": "-b / tau_b"},
        spike="2 * V - b - theta / 3", reset={"V": "V - theta", "a": "0.9 * a + q", "b": "b + a + 1"},
    )
    found = residuals(neuron)
    assert len(found) == 1 + 7 + 2 + 4 + 7 and all(simplest(left) == 0 for left in found.values())


def test_each_constant_and_state_has_a_residual() -> None:
    assert len(residuals(LIF)) == 1 + 4 + 2 + 2 + 4
