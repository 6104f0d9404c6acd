"""The adjoint of a neuron in words and formulas, and whether it is proved; for the command line."""

import time
from collections.abc import Iterator

import sympy as sp
from sympy.printing.str import StrPrinter

from delayprop.derivations import linear_neuron
from delayprop.derivations.linear_neuron import LinearNeuron
from delayprop.derivations.neuron import residuals
from delayprop.derivations.proof import simplest
from delayprop.spec.neuron import Neuron

q = sp.Symbol("q")


def lines(neuron: Neuron) -> Iterator[str]:
    """What happens to `p = dL/dx` and to the gradients, event by event."""
    n = LinearNeuron.of(neuron)  # refuses before anything is printed
    yield f"states {', '.join(neuron.states)}; constants {', '.join(neuron.constants) or 'none'}; p = dL/d(state)"
    yield "between events"
    for state, slope in zip(neuron.states, linear_neuron.adjoint_slope(n), strict=True):
        yield f"  dp_{state}/dt = {_short(slope)}"
    for name, theta in n.constants.items():
        if (gain := linear_neuron.gradient_between_events(n, theta)) != 0:
            yield f"  dL/d{name} gains the integral of {_short(gain)}"
    for state in n.arrivals:
        by_weight, by_time = linear_neuron.at_arrival(n, state)
        yield f"at an arrival of weight w at {state}; p just after it"
        yield f"  dL/dw gains {_short(by_weight)}"
        yield f"  dL/dt_arr = {_short(by_time)}, which dL/dd and dL/dt_pre gain"
    if any(n.c):
        yield "at an own spike; p just after it, states just before it"
        yield f"  q = {_short(linear_neuron.spike_shift(n))}"
        for state, before in zip(neuron.states, linear_neuron.before_spike(n, q), strict=True):
            yield f"  p_{state} before = {_short(before)}"
        for name, theta in n.constants.items():
            if (gain := linear_neuron.gradient_at_spike(n, theta, q)) != 0:
                yield f"  dL/d{name} gains {_short(gain)}"


def verdict(neuron: Neuron) -> tuple[bool, str]:
    """Whether all formulas are proved, and the sentence that says so."""
    started = time.perf_counter()
    found = residuals(neuron)
    refuted = [name for name, left in found.items() if simplest(left) != 0]
    proved = f"{len(found) - len(refuted)} of {len(found)} formulas proved in {time.perf_counter() - started:.1f} s"
    return not refuted, "; not ".join([proved, *refuted])


class _Printer(StrPrinter):
    """Prints states and sensitivities, which are dummies, by their names alone."""

    def _print_Dummy(self, dummy: sp.Dummy) -> str:
        return str(dummy.name)


def _short(expression: sp.Expr) -> str:
    top, bottom = sp.fraction(expression)
    return _Printer().doprint(sp.expand(top) / sp.expand(bottom))
