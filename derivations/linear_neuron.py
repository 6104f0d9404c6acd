"""The claims for any neuron of `delayprop.spec.neuron`: flow, adjoint, arrival, spike, readouts.

Nothing is derived here; the chapters derive the same quantities from the equations and compare, so
a wrong sign here is a failed proof. With `x' = A x`, `F(h) = exp(A h)` and the sensitivities
`p = dL/dx`:

- between events, backwards in time: `p' = -A^T p`, and `dL/dtheta` gains the integral of
  `p.(A_theta x)`;
- arrival `x += w e`: `dL/dw = e.p`, and `dL/dt_arr = -w (A e).p`;
- own spike `x_plus = R x + r`, where `c.x = v_th`, with
  `q = (p.(R A x - A x_plus) + dL/dt_post) / (c.A x)`: just before it the sensitivities are
  `R^T p - q c`, and `dL/dtheta` gains `p.(R_theta x + r_theta) + q (v_th - c.x)_theta`;
- a maximum that is read adds `dL/dy` to the sensitivity of the first state, `V`; an integral that
  is read is one more state.

A subscript `theta` is the derivative by a constant. `formulas.py` has the words of the paper, whose
`lambda_V` is `-p_V / tau_mem` and `lambda_I` is `-p_I / tau_syn`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count

import sympy as sp

from delayprop.derivations.symbols import dL_dt_post, dL_dy, w
from delayprop.spec.errors import SpecError
from delayprop.spec.neuron import LIF, Neuron


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


def with_integral(n: LinearNeuron, rate: sp.Expr) -> LinearNeuron:
    """The neuron with a last state `y' = rate y + V`: `exp(-rate T) y(T)` is the integral of
    `exp(-rate t) V` from 0 to T."""
    size, y, p_y = len(n.x), sp.Dummy("y", real=True), sp.Dummy("p_y", real=True)
    below = sp.zeros(1, size)
    below[0] = 1
    A = n.A.row_join(sp.zeros(size, 1)).col_join(below.row_join(sp.Matrix([rate])))
    R = sp.diag(n.R, 1)
    arrivals = {state: _longer(e) for state, e in n.arrivals.items()}
    return replace(
        n, x=_longer(n.x, y), p=_longer(n.p, p_y), arrivals=arrivals, A=A, c=_longer(n.c), R=R, r=_longer(n.r)
    )


def _longer(vector: sp.Matrix, last: sp.Expr = 0) -> sp.Matrix:
    return vector.col_join(sp.Matrix([last]))


# Between events.


def E(h: sp.Expr, *p: sp.Expr) -> sp.Expr:
    """Convolution over [0, h] of exp(-p_1 s), ..., exp(-p_n s); equal rates are legal."""
    for q in p[1:]:
        if q != p[0]:
            others = list(p[1:])
            others.remove(q)
            return (E(h, p[0], *others) - E(h, q, *others)) / (q - p[0])
    return h ** (len(p) - 1) / sp.factorial(len(p) - 1) * sp.exp(-p[0] * h)


def flow(A: sp.Matrix, h: sp.Expr) -> sp.Matrix:
    """`F(h)` of a matrix without loops."""
    found = sp.zeros(*A.shape)
    for i in range(A.rows):
        for j, product, rates in _paths(A, i):
            found[i, j] += product * E(h, *rates)
    return found


def _paths(A: sp.Matrix, i: int) -> Iterator[tuple[int, sp.Expr, tuple[sp.Expr, ...]]]:
    """The paths from state `i`: the last state, the product of the entries, the rates."""
    yield i, sp.S.One, (-A[i, i],)
    for k in range(A.cols):
        if k != i and A[i, k] != 0:
            for j, product, rates in _paths(A, k):
                yield j, A[i, k] * product, (-A[i, i], *rates)


def flow_by(A: sp.Matrix, A_theta: sp.Matrix, h: sp.Expr) -> sp.Matrix:
    """The derivative of `F(h)` by a constant."""
    size = A.rows
    both = A.row_join(A_theta).col_join(sp.zeros(size).row_join(A))
    return flow(both, h)[:size, size:]


def controls(f: sp.Expr, slope: sp.Expr, g: sp.Expr, slope_g: sp.Expr, width: sp.Expr) -> tuple[sp.Expr, ...]:
    """Four numbers of which the largest bounds the cubic that has the value `f` and this slope at
    one end, `g` and its slope at the other."""
    return f, f + width * slope / 3, g - width * slope_g / 3, g


def beyond_cubic(fourth: sp.Expr, width: sp.Expr) -> sp.Expr:
    """How far a function with this largest fourth derivative may be above that cubic."""
    return width**4 / 384 * fourth


def lif_rates(tau_mem: sp.Expr, tau_syn: sp.Expr, rate: sp.Expr | None = None) -> sp.Matrix:
    """`A` of `lif` with these constants, or with an integral of this rate."""
    n = LinearNeuron.of(LIF)
    A = n.A if rate is None else with_integral(n, rate).A
    return A.subs({n.constants["tau_mem"]: tau_mem, n.constants["tau_syn"]: tau_syn}, simultaneous=True)


def lif_after(V: sp.Expr, I: sp.Expr, h: sp.Expr, tau_mem: sp.Expr, tau_syn: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """(V, I) of `lif` a time h later."""
    F = flow(lif_rates(tau_mem, tau_syn), h)
    return F[0, 0] * V + F[0, 1] * I, F[1, 1] * I


def peak_time(V: sp.Expr, I: sp.Expr, tau_mem: sp.Expr, tau_syn: sp.Expr) -> sp.Expr:
    """When the voltage of `lif` peaks, from (V, I) at time 0 with I > V and I > 0; it never does if
    `(tau_mem - tau_syn) (I - V) >= tau_mem I`."""
    if tau_mem == tau_syn:
        return tau_syn * (I - V) / I
    difference = tau_mem - tau_syn
    return -tau_mem * tau_syn / difference * sp.log(1 - difference * (I - V) / (tau_mem * I))


def adjoint_slope(n: LinearNeuron) -> sp.Matrix:
    """`p'` between events."""
    return -n.A.T * n.p


def gradient_between_events(n: LinearNeuron, theta: sp.Symbol) -> sp.Expr:
    """Gain of `dL/dtheta` per time between events."""
    return n.p.dot(sp.diff(n.A, theta) * n.x)


# Events.


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


def kappa(slope: sp.Expr, rate: sp.Expr, v_th: sp.Expr) -> sp.Expr:
    """The conditioning of a spike; `rate` is the unit of its slope, `1/tau_mem` of `lif`."""
    return (slope / (rate * v_th)) ** 2


# Readouts.


def at_reading(p: sp.Matrix, dL_dy: sp.Expr) -> sp.Matrix:
    """`p` just before an instant at which `V` is read: a sample, or the largest `V`."""
    return p + sp.Matrix([dL_dy, *[0] * (len(p) - 1)])


def dL_dt_arr_at_pinned_maximum(dL_dy: sp.Expr, w: sp.Expr, A_read: sp.Expr, Vdot_plus: sp.Expr) -> sp.Expr:
    """Term added to `dL/dt_arr`, read just after, of an arrival that makes the maximum; `A_read` is
    the effect of its state on `V'`."""
    return dL_dy * sp.Max(0, Vdot_plus - w * A_read)


def at_end(p: sp.Matrix, dL_dy: sp.Expr, rate: sp.Expr, T: sp.Expr) -> sp.Matrix:
    """`p` at `T`, of a loss that reads `(1/T)` times the integral of `exp(-rate t) V`."""
    return sp.Matrix([*[0] * (len(p) - 1), dL_dy * sp.exp(-rate * T) / T])


# Charges of the identities A (scale of V) and C (shift of time); t times the last is that of B.


def scale_charge(n: LinearNeuron) -> sp.Expr:
    return n.p.dot(n.x)


def shift_charge(n: LinearNeuron) -> sp.Expr:
    return n.p.dot(n.A * n.x)
