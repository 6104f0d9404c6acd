"""A whole network of `lif`: the claims against derivatives that need no adjoint.

Assumed: an input spike reaches neuron a; a spikes at t_1, receives its own spike after d_r, and
spikes again at t_2. Both spikes reach neuron b after d_o, and b spikes at t_3. The loss is any
function of the three times, with derivative c_k by t_k. Time constants, thresholds, reset, weights
and delays are symbols.

Shown: the times solve three crossing conditions, which alone give their derivatives by each of the
twelve parameters. The adjoint, run backwards event by event, gives the same derivatives.
"""

from collections.abc import Iterable

import sympy as sp

from delayprop.derivations import linear_neuron
from delayprop.derivations.linear_neuron import LinearNeuron, flow, flow_by
from delayprop.derivations.proof import Residuals, theorem
from delayprop.derivations.symbols import d, dL_dt_post, t_in, tau_mem, tau_syn, v_reset, v_th, w
from delayprop.spec.neuron import LIF

w_r, w_o, v_th_b = sp.symbols("w_r w_o v_th_b", real=True)
d_r, d_o = sp.symbols("d_r d_o", nonnegative=True)
t_1, t_2, t_3 = TIMES = sp.symbols("t_1:4", real=True)
h_1, h_2, h_3 = LEFT = sp.symbols("h_1:4", positive=True)  # from the last arrival before a crossing to the crossing
Vdot_1, Vdot_2, Vdot_3 = SLOPES = sp.symbols("Vdot_1:4", positive=True)
c_1, c_2, c_3 = DL_DT = sp.symbols("c_1:4", real=True)  # dl_p/dt_k

lif = LinearNeuron.of(LIF)
IN_SYMBOLS = {lif.constants[str(symbol)]: symbol for symbol in (tau_mem, tau_syn, v_th, v_reset)}
A = linear_neuron.lif_rates(tau_mem, tau_syn)
AT_REST = sp.zeros(2, 1)


def state(V: sp.Expr, I: sp.Expr) -> sp.Matrix:
    return sp.Matrix([V, I])


def arrive(x: sp.Matrix, weight: sp.Expr) -> sp.Matrix:
    return x + weight * lif.arrivals["I"]


def slope_of(x: sp.Matrix) -> sp.Expr:
    return (A * x)[0]


def claim(formula: sp.Expr, x: sp.Matrix, p: sp.Matrix) -> sp.Expr:
    """A claim of `lif` at a state and its sensitivities."""
    values = [*zip(lif.x, x, strict=True), *zip(lif.p, p, strict=True), *IN_SYMBOLS.items()]
    return formula.subs(values, simultaneous=True)


def by_weight(p: sp.Matrix) -> sp.Expr:
    return claim(linear_neuron.at_arrival(lif, "I")[0], AT_REST, p)


def by_arrival(weight: sp.Expr, p: sp.Matrix) -> sp.Expr:
    return claim(linear_neuron.at_arrival(lif, "I")[1], AT_REST, p).subs(w, weight)


def before_spike(x: sp.Matrix, p: sp.Matrix, by_time: sp.Expr, slope: sp.Expr) -> tuple[sp.Matrix, sp.Expr]:
    """`p` just before a spike at the state `x`, and its `q`, whose denominator is `slope`."""
    q, shift = sp.Symbol("q"), linear_neuron.spike_shift(lif) * lif.c.dot(lif.A * lif.x)
    found = claim(shift, x, p).subs(dL_dt_post, by_time) / slope
    return claim(linear_neuron.before_spike(lif, q), x, p).subs(q, found), found


def by_constant(name: str, x: sp.Matrix, p: sp.Matrix, q: sp.Expr) -> sp.Expr:
    """A spike's share of `dL/dv_th` or `dL/dv_reset`."""
    symbol = sp.Symbol("q")
    return claim(linear_neuron.gradient_at_spike(lif, lif.constants[name], symbol), x, p).subs(symbol, q)


def by_tau(intervals: Iterable[tuple[sp.Matrix, sp.Matrix, sp.Expr]], tau: sp.Symbol) -> sp.Expr:
    """Of intervals: `p` at the end, the state at the start, the length."""
    return sum(p.dot(flow_by(A, sp.diff(A, tau), h) * x) for p, x, h in intervals)


# Forwards: the state of a and b just after each arrival and each spike.
to_1, to_2, between, to_3 = t_1 - t_in - d, t_2 - t_1 - d_r, t_2 - t_1, t_3 - t_2 - d_o
a_input = state(0, w)
a_first = flow(A, to_1) * a_input
a_reset = state(v_reset, a_first[1])
a_self = arrive(flow(A, d_r) * a_reset, w_r)
a_second = flow(A, to_2) * a_self
b_first = state(0, w_o)
b_second = arrive(flow(A, between) * b_first, w_o)
b_spike = flow(A, to_3) * b_second

BY_LEFT = {t_3: t_2 + d_o + h_3, t_2: t_1 + d_r + h_2, t_1: t_in + d + h_1}
CROSSINGS = (a_first, a_second, b_spike)


def named(expression: sp.Expr) -> sp.Expr:
    """Spike times replaced by intervals since the last arrival, so that all symbols are free."""
    for time, by_left in BY_LEFT.items():
        expression = expression.subs(time, by_left)
    return expression


def adjoint_gradient() -> dict[sp.Symbol, sp.Expr]:
    """The backward pass, latest event first; the slopes of the three crossings are symbols."""
    at_3, q_3 = before_spike(b_spike, AT_REST, c_3, Vdot_3)
    at_b_second = flow(A, to_3).T * at_3
    at_b_first = flow(A, between).T * at_b_second
    sent_2, sent_1 = (by_arrival(w_o, p) for p in (at_b_second, at_b_first))

    at_2, q_2 = before_spike(a_second, AT_REST, c_2 + sent_2, Vdot_2)
    at_self = flow(A, to_2).T * at_2
    sent_self = by_arrival(w_r, at_self)
    after_1 = flow(A, d_r).T * at_self
    at_1, q_1 = before_spike(a_first, after_1, c_1 + sent_1 + sent_self, Vdot_1)
    at_input = flow(A, to_1).T * at_1
    received = by_arrival(w, at_input)

    intervals = (
        (at_1, a_input, to_1), (at_self, a_reset, d_r), (at_2, a_self, to_2), (at_b_second, b_first, between),
        (at_3, b_second, to_3),
    )
    return {
        t_in: received, d: received, w: by_weight(at_input), d_r: sent_self, w_r: by_weight(at_self),
        d_o: sent_1 + sent_2, w_o: by_weight(at_b_first) + by_weight(at_b_second),
        v_th: by_constant("v_th", a_first, after_1, q_1) + by_constant("v_th", a_second, AT_REST, q_2),
        v_th_b: by_constant("v_th", b_spike, AT_REST, q_3), v_reset: by_constant("v_reset", a_first, after_1, q_1),
        tau_mem: by_tau(intervals, tau_mem), tau_syn: by_tau(intervals, tau_syn),
    }


@theorem("example-network", "two neurons, a self-connection, 3 spikes, 12 parameters: adjoint = implicit derivative")
def network() -> Residuals:
    conditions = sp.Matrix([a_first[0] - v_th, a_second[0] - v_th, b_spike[0] - v_th_b])
    by_times = conditions.jacobian(TIMES)
    residuals = {}
    for k, (x, slope) in enumerate(zip(CROSSINGS, SLOPES, strict=True)):
        residuals[f"slope {k + 1}"] = by_times[k, k] - slope_of(x)
        by_times[k, k] = slope
    multipliers = by_times.T.upper_triangular_solve(sp.Matrix(DL_DT))
    for parameter, claimed in adjoint_gradient().items():
        direct = -(multipliers.T * conditions.diff(parameter))[0]
        residuals[f"dL/d{parameter}"] = named(direct - claimed)
    return residuals
