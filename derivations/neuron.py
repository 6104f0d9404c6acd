"""At events: the adjoint of any linear neuron, from its equations alone.

Assumed: `x' = A x` between events, an arrival that adds `w e`, and an own spike where `c.x` reaches
`v_th` from below, which gives `R x + r`. All that follows an event is a loss with sensitivities
`p = dL/dx` just after it, which holds also for events at this instant that come later in order;
along a free trajectory this loss stays. The entries of `A`, `c`, `R`, `r` and `v_th` are any
functions of a constant `theta`.

Shown: the claims of `linear_neuron.py`, for three states, and then for the equations of each neuron
of `delayprop.spec.neuron`. A move of the state and one of a constant are differentiated together:
between events by the linearised equation, at an arrival by the flow over a short time, at a spike
by implicit differentiation of `c.x(t) = v_th`. So a spike needs a level that rises, `c.A x > 0`.

Notes: `p` does not jump at an arrival. The delay of a synapse moves its arrivals, and so does the
spike that sent them: both get `dL/dt_arr`, which is proportional to `w`, so a synapse of weight 0
never learns its delay. A spike depends on the state before it through its time alone where the
reset forgets it. If the peak of a level passes the threshold by a small excess only, `kappa` is
proportional to the excess, and the gradient grows as `kappa^(-1/2)`. This is the model, not an
error: with a slightly smaller weight the spike is gone.
"""

import sympy as sp

from delayprop.derivations import linear_neuron
from delayprop.derivations.linear_neuron import LinearNeuron
from delayprop.derivations.proof import Nonzero, Residuals, Theorem, theorem
from delayprop.derivations.symbols import dL_dt_post, dL_dy, s, w
from delayprop.spec.neuron import NEURONS, Neuron

STATES = 3
theta = sp.Symbol("theta")


def any_neuron() -> LinearNeuron:
    """With an unknown function of `theta` in each place."""

    def unknown(name: str, columns: int = STATES) -> sp.Matrix:
        return sp.Matrix(STATES, columns, lambda i, k: sp.Function(f"{name}_{i}{k}", real=True)(theta))

    x, p = (sp.Matrix([sp.Dummy(f"{name}_{k}", real=True) for k in range(STATES)]) for name in "xp")
    arrivals = {f"x_{k}": sp.eye(STATES)[:, k] for k in range(STATES)}
    v_th = sp.Function("v_th", real=True)(theta)
    A, c, R, r = unknown("A"), unknown("c", 1), unknown("R"), unknown("r", 1)
    return LinearNeuron(x, p, {"theta": theta}, arrivals, A, c, v_th, R, r)


def between_events(n: LinearNeuron) -> dict[str, sp.Expr]:
    """A move dx follows dx' = A dx + A_theta x dtheta, and dL = p.dx + what dtheta still adds."""
    dx = sp.Matrix([sp.Dummy(f"d{state}") for state in n.x])
    backwards = linear_neuron.adjoint_slope(n)
    found = {"p.dx between events": backwards.dot(dx) + n.p.dot(n.A * dx)}
    for name, constant in n.constants.items():
        driven = n.A * dx + sp.diff(n.A, constant) * n.x
        gain = backwards.dot(dx) + n.p.dot(driven)
        found[f"dL/d{name} between events"] = gain - linear_neuron.gradient_between_events(n, constant)
    return found


def at_arrivals(n: LinearNeuron) -> dict[str, sp.Expr]:
    """The state at s, just behind an arrival at s, against that of an arrival at 0."""
    found = {}
    for state, e in n.arrivals.items():
        by_weight, by_time = linear_neuron.at_arrival(n, state)
        moved = n.x + s * n.A * n.x + w * e
        unmoved = n.x + w * e + s * n.A * (n.x + w * e)
        found[f"dL/dw at {state}"] = sp.diff(n.p.dot(moved), w).subs(s, 0) - by_weight
        found[f"dL/dt_arr at {state}"] = sp.diff(n.p.dot(moved - unmoved), s).subs(s, 0) - by_time
    return found


def at_spike(n: LinearNeuron) -> dict[str, sp.Expr]:
    """The moved neuron spikes at a time t that is 0 without moves.

    The state just after, seen at 0, is flowed back by t. The constants of this flow, and of the one
    before the spike, are held: what they move is the gain between events.
    """
    held = {constant: sp.Dummy(name) for name, constant in n.constants.items()}
    released = {stand_in: constant for constant, stand_in in held.items()}
    A, t = n.A.subs(held), sp.Dummy("t")
    before = n.x + t * A * n.x
    after = n.R * before + n.r
    unmoved = (n.R * n.x + n.r).subs(held)
    loss = n.p.dot(after - t * A * unmoved) + dL_dt_post * t + dL_dy * before[0]  # a maximum, if it is read
    level = n.c.dot(before) - n.v_th

    def derived(move: sp.Symbol) -> sp.Expr:
        dt = -(sp.diff(level, move) / sp.diff(level, t))
        return (sp.diff(loss, move) + sp.diff(loss, t) * dt).subs(t, 0).subs(released)

    q = linear_neuron.spike_shift(n) + linear_neuron.shift_by_maximum(n)
    p_minus = linear_neuron.at_reading(linear_neuron.before_spike(n, q), dL_dy)
    found = {f"dL/d{move.name} before a spike": derived(move) - p_minus[i] for i, move in enumerate(n.x)}
    for name, constant in n.constants.items():
        found[f"dL/d{name} at a spike"] = derived(constant) - linear_neuron.gradient_at_spike(n, constant, q)
    return found


@theorem("adjoint", "p' = -A^T p backwards between events; dL/dtheta gains the integral of p.(A_theta x)")
def adjoint() -> Residuals:
    return between_events(any_neuron())


@theorem("arrival", "dL/dw = e.p and dL/dt_arr = -w (A e).p, which the delay and the sender's spike get")
def arrival() -> Residuals:
    return at_arrivals(any_neuron())


@theorem("spike", "p_minus = R^T p - q c, and dL/dtheta gains p.(R_theta x + r_theta) + q (v_th - c.x)_theta")
def spike() -> Residuals:
    n = any_neuron()
    one_slope = (n.p.dot(n.R * n.A * n.x - n.A * n.x) + dL_dt_post) / n.c.dot(n.A * n.x)
    numbers = {entry: sp.Integer(3 + k**2) for k, entry in enumerate([*n.A, *n.c, *n.R, *n.r, *n.x, *n.p])}
    wrong = (linear_neuron.spike_shift(n) - one_slope).subs(numbers)
    return at_spike(n) | {"one slope for both sides": Nonzero(wrong)}


@theorem("spike-grazing", "kappa -> 2 |f''| excess / (rate v_th)^2 at grazing: 1/slope grows as excess^(-1/2)")
def grazing() -> Residuals:
    # A level f crosses v_th a short time s before its peak: excess is the rise that is left.
    bend, third, rate, v_th, excess = sp.symbols("bend third rate v_th excess", positive=True)
    below = bend * s**2 / 2 - third * s**3 / 6  # s counts back from the peak
    exact = linear_neuron.kappa(-sp.diff(below, s), rate, v_th)
    leading = 2 * bend * excess / (rate * v_th) ** 2
    apart = exact - leading.subs(excess, below)
    return {f"order {order}": sp.diff(apart, s, order).subs(s, 0) for order in range(3)} | {
        "the slope": linear_neuron.kappa(sp.sqrt(2 * bend * excess), rate, v_th) - leading,
        "kappa is not of higher order": Nonzero(sp.diff(exact, s, 2).subs(s, 0)),
    }


def residuals(neuron: Neuron) -> dict[str, sp.Expr]:
    """Derived minus claimed, of everything that can happen to a neuron."""
    n = LinearNeuron.of(neuron).of_any_entries()
    return between_events(n) | at_arrivals(n) | (at_spike(n) if any(n.c) else {})


def _theorem(name: str, neuron: Neuron) -> Theorem:
    statement = f"`{name}`: p' = -A^T p, dL/dw = e.p, dL/dt_arr = -w (A e).p, jump and constants by q"
    return Theorem(f"neuron-{name}", statement, lambda: residuals(neuron))


WITH_A_NAME = tuple(_theorem(name, neuron) for name, neuron in NEURONS.items())
