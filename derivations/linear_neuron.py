"""The claims for any neuron of `delayprop.spec.neuron`: adjoint, arrival, spike, constants.

Nothing is derived here; `neuron.py` derives the same quantities from the equations and compares.
With `x' = A x` and the sensitivities `p = dL/dx`:

- between events, backwards in time: `p' = -A^T p`, and `dL/dtheta` gains the integral of
  `p.(A_theta x)`;
- arrival `x += w e`: `dL/dw = e.p`, and `dL/dt_arr = -w (A e).p`;
- own spike `x_plus = R x + r`, where `c.x = v_th`, with
  `q = (p.(R A x - A x_plus) + dL/dt_post) / (c.A x)`: just before it the sensitivities are
  `R^T p - q c`, and `dL/dtheta` gains `p.(R_theta x + r_theta) + q (v_th - c.x)_theta`.

A subscript `theta` is the derivative by a constant. The paper's `lambda_V` is `-p_V / tau_mem`, its
`lambda_I` is `-p_I / tau_syn`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count

import sympy as sp

from delayprop.derivations.symbols import dL_dt_post, dL_dy, w
from delayprop.spec.errors import SpecError
from delayprop.spec.neuron import Neuron


@dataclass(frozen=True)
class LinearNeuron:
    """A neuron's matrices of symbols, its states and their sensitivities.

    A constant is a real symbol of its own name; one that is called as a symbol of the proof, as `w`
    is, is shown as `constant_w`. States and sensitivities cannot be mistaken for constants.
    """

    x: sp.Matrix
    p: sp.Matrix
    constants: Mapping[str, sp.Symbol]
    arrivals: Mapping[str, sp.Matrix]
    A: sp.Matrix
    c: sp.Matrix
    v_th: sp.Expr
    R: sp.Matrix
    r: sp.Matrix

    @classmethod
    def of(cls, neuron: Neuron) -> "LinearNeuron":
        """The neuron in symbols; `SpecError`: its level cannot rise, so no spike has a time."""
        taken = {"q", *(symbol.name for symbol in (dL_dt_post, dL_dy, w)), *(f"p_{state}" for state in neuron.states)}
        constants = {
            name: sp.Dummy(f"constant_{name}", real=True) if name in taken else sp.Symbol(name, real=True)
            for name in neuron.constants
        }
        m = neuron.matrices(constants, lambda value: sp.Rational(value.numerator, value.denominator))
        x, p = (sp.Matrix([sp.Dummy(before + s, real=True) for s in neuron.states]) for before in ("", "p_"))
        units = {state: sp.eye(len(x))[:, neuron.states.index(state)] for state in neuron.arrivals}
        A, c, R, r = (sp.Matrix(part) for part in (m.A, m.c, m.R, m.r))
        if neuron.spike is not None and not any(A.T * c):
            raise SpecError("spike", "", "has a level that never moves between events", "name a state that moves")
        return cls(x, p, constants, units, A, c, sp.sympify(m.v_th), R, r)

    def of_any_entries(self) -> "LinearNeuron":
        """The neuron with an unknown function of its constants for each entry that is a formula. A
        proof for it holds for the formulas too, and needs no fractions of fractions."""
        names = (f"f_{number}" for number in count())

        def unknown(entry: sp.Expr) -> sp.Expr:
            read = [theta for theta in self.constants.values() if entry.has(theta)]
            return entry if entry.is_Symbol or not read else sp.Function(next(names), real=True)(*read)

        matrices = {name: getattr(self, name).applyfunc(unknown) for name in ("A", "c", "R", "r")}
        return replace(self, v_th=unknown(self.v_th), **matrices)


def adjoint_slope(n: LinearNeuron) -> sp.Matrix:
    """`p'` between events."""
    return -n.A.T * n.p


def gradient_between_events(n: LinearNeuron, theta: sp.Symbol) -> sp.Expr:
    """Gain of `dL/dtheta` per time between events."""
    return n.p.dot(sp.diff(n.A, theta) * n.x)


def at_arrival(n: LinearNeuron, state: str) -> tuple[sp.Expr, sp.Expr]:
    """`dL/dw` and `dL/dt_arr` of an arrival at a state."""
    e = n.arrivals[state]
    return e.dot(n.p), -w * (n.A * e).dot(n.p)


def spike_shift(n: LinearNeuron) -> sp.Expr:
    """`q`: minus the derivative of the loss by the level `c.x - v_th` just before an own spike."""
    x_plus = n.R * n.x + n.r
    return (n.p.dot(n.R * n.A * n.x - n.A * x_plus) + dL_dt_post) / n.c.dot(n.A * n.x)


def shift_by_maximum(n: LinearNeuron) -> sp.Expr:
    """Term of `q` if the loss reads the first state just before the spike."""
    rate = n.A * n.x
    return dL_dy * rate[0] / n.c.dot(rate)


def before_spike(n: LinearNeuron, q: sp.Expr) -> sp.Matrix:
    """`p` just before an own spike; `x` is just before it, and `p` just after."""
    return n.R.T * n.p - q * n.c


def gradient_at_spike(n: LinearNeuron, theta: sp.Symbol, q: sp.Expr) -> sp.Expr:
    """Gain of `dL/dtheta` at an own spike; `q` is its `spike_shift`."""
    moved = sp.diff(n.R, theta) * n.x + sp.diff(n.r, theta)
    return n.p.dot(moved) + q * (sp.diff(n.v_th, theta) - sp.diff(n.c, theta).dot(n.x))
