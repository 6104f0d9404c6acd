"""Three identities of every correct gradient, from three symmetries of the model.

Assumed: zero state at 0, zero adjoint at T, no spike at T itself. `l_p` depends on spike times, and
y is a `max_voltage` readout (interior, or on an inhibitory arrival).

    A  scale of V:     sum w g_w + sum v g_v = sum y dL/dy        (v: v_th, v_reset, ...)
    B  unit of time:   sum d g_d + sum tau g_tau + sum t_in g_t_in = sum t_k dl_p/dt_k
    C  shift of time:  sum g_t_in = sum dl_p/dt_k

C holds at every layer too: if all delays of the spikes from outside are longer by one time, all
spikes of this layer and of those after it are later, so the sum of these g_d is that of the
dl_p/dt_k behind it.

Shown, from the claims alone: each symmetry has a charge, summed over neurons. It is constant
between events, changes at each event by one term of the identity, and is 0 at both ends of the
trial, so the terms add up to 0. A wrong jump breaks this sum.

 - A: the charge is `p.x`.
 - C: the charge is `H = p.A x`. It falls by dL/dt_arr at an arrival and grows by dL/dt_post at a
   spike; arrivals caused by a spike are in both and cancel.
 - B: the charge is `t H`. Between events it grows by the integral of H, that is by minus the sum of
   `tau g_tau`; at events it grows by t times the change of H, where t_arr = t_pre + d gives d g_d.

A maximum at T adds dL/dy V'(T) to the left of C, and T times this term to the left of B. An
integral that is read is a last state, whose sensitivity is not 0 at T: it adds y dL/dy to the right
of A, and dL/dy times `shift_of_running_readout` and `unit_of_running_readout` to the right of C and
B, where T counts as fixed.
"""

import sympy as sp

from delayprop.derivations import formulas, linear_neuron
from delayprop.derivations.linear_neuron import LinearNeuron, flow, with_integral
from delayprop.derivations.neuron import any_neuron
from delayprop.derivations.proof import Residuals, theorem
from delayprop.derivations.symbols import (
    T,
    d,
    dL_dt_arr_down,
    dL_dt_post,
    dL_dy,
    dl_p_dt_post,
    h,
    r,
    s,
    t_in,
    t_post,
    tau_mem,
    tau_syn,
    w,
)

v, tau = sp.symbols("v tau", positive=True)  # a constant that is a voltage, and one that is a time


def in_units() -> LinearNeuron:
    """Any neuron whose reset and threshold are voltages (times `v`) and whose rates are inverse
    times (over `tau`)."""
    n = any_neuron()
    known = {entry: sp.Symbol(entry.func.__name__, real=True) for entry in n.A.atoms(sp.Function) | {
        *n.c, *n.R, *n.r, n.v_th}}
    A, c_, R, r_ = (part.subs(known) for part in (n.A / tau, n.c, n.R, n.r * v))
    return LinearNeuron(n.x, n.p, {"v": v, "tau": tau}, n.arrivals, A, c_, n.v_th.subs(known) * v, R, r_)


def along(n: LinearNeuron, charge: sp.Expr) -> sp.Expr:
    """The rate of a charge between events."""
    slopes = [*zip(n.x, n.A * n.x, strict=True), *zip(n.p, linear_neuron.adjoint_slope(n), strict=True)]
    return sum(sp.diff(charge, symbol) * slope for symbol, slope in slopes)


def step(charge: sp.Expr, n: LinearNeuron, x_plus: sp.Matrix, p_minus: sp.Matrix) -> sp.Expr:
    """The charge just behind an event minus that just before; `n` has `x_minus` and `p_plus`."""
    after = charge.subs([*zip(n.x, x_plus, strict=True)], simultaneous=True)
    return after - charge.subs([*zip(n.p, p_minus, strict=True)], simultaneous=True)


def at_spike(n: LinearNeuron, charge: sp.Expr) -> tuple[sp.Expr, dict[sp.Expr, sp.Expr]]:
    """The step of a charge at a spike, and what the level is there."""
    q = linear_neuron.spike_shift(n)
    fired = {n.x[0]: sp.solve(n.c.dot(n.x) - n.v_th, n.x[0])[0]}
    return step(charge, n, n.R * n.x + n.r, linear_neuron.before_spike(n, q)), fired


@theorem("identity-A", "A: sum w g_w + sum v g_v = sum y dL/dy (0 for losses of spike times)")
def identity_A() -> Residuals:
    n, e = in_units(), sp.eye(3)[:, 1]
    charge = linear_neuron.scale_charge(n)
    spike, fired = at_spike(n, charge)
    by_v = linear_neuron.gradient_at_spike(n, v, linear_neuron.spike_shift(n))
    read = with_integral(n, r)
    left = linear_neuron.scale_charge(read).subs([*zip(read.p, linear_neuron.at_end(read.p, dL_dy, r, T), strict=True)])
    return {
        "constant between events": along(n, charge),
        "arrival: w g_w": step(charge, n, n.x + w * e, n.p) - w * linear_neuron.at_arrival(n, "x_1")[0],
        "spike: sum v g_v": (spike - v * by_v).subs(fired),
        "maximum: - y dL/dy": step(charge, n, n.x, linear_neuron.at_reading(n.p, dL_dy)) + n.x[0] * dL_dy,
        "an integral, at T: y dL/dy": left - dL_dy * sp.exp(-r * T) * read.x[3] / T,
    }


@theorem("identity-C", "C: sum g_t_in = sum dl_p/dt_k; an interior maximum, or one on an arrival, changes nothing")
def identity_C() -> Residuals:
    n, e = in_units(), sp.eye(3)[:, 1]
    charge = linear_neuron.shift_charge(n)
    spike, _ = at_spike(n, charge)
    kicked, slope = linear_neuron.at_reading(n.p, dL_dy), (n.A * n.x)[0]

    # On a maximum the arrival turns a slope up > 0 into a slope -down < 0.
    up, down = sp.symbols("up down", positive=True)
    (turned,) = sp.solve(slope - up, n.x[1])
    turn = -(up + down) / n.A[0, 1]
    by_time = linear_neuron.at_arrival(n, "x_1")[1].subs(w, turn)
    by_time += linear_neuron.dL_dt_arr_at_pinned_maximum(dL_dy, turn, n.A[0, 1], -down)
    pinned = step(charge, n, n.x + turn * e, kicked).subs(n.x[1], turned) + by_time

    read = with_integral(n, r)
    left = linear_neuron.shift_charge(read).subs(
        [*zip(read.p, linear_neuron.at_end(read.p, dL_dy, r, T), strict=True)])
    y = sp.exp(-r * T) * read.x[3] / T
    return {
        "constant between events": along(n, charge),
        "arrival: - dL/dt_arr": step(charge, n, n.x + w * e, n.p) + linear_neuron.at_arrival(n, "x_1")[1],
        "spike: dL/dt_post": spike - dL_dt_post,
        "interior maximum: - dL/dy V', which is 0": step(charge, n, n.x, kicked) + dL_dy * slope,
        "maximum on an arrival: - dL/dt_arr as claimed": pinned,
        "maximum at T: - dL/dy V'(T)": charge.subs([*zip(n.p, kicked - n.p, strict=True)]) - dL_dy * slope,
        "an integral, at T": left + dL_dy * formulas.shift_of_running_readout(y, read.x[0], r, T),
    }


@theorem("identity-B", "B: sum d g_d + sum tau g_tau + sum t_in g_t_in = sum t_k dl_p/dt_k")
def identity_B() -> Residuals:
    # Between events H is constant, so t H grows by H per time: the share of the time constants.
    n = in_units()
    H, by_tau = linear_neuron.shift_charge(n), linear_neuron.gradient_between_events(n, tau)

    # An arrival caused by a spike takes t_arr dL/dt_arr, the spike gives t_post dL/dt_post.
    down = dL_dt_arr_down
    caused = (t_post + d) * down - t_post * (dl_p_dt_post + down)

    # An integral: its row has no tau, so p_y (V + r y) is left between events, and T H at the end.
    # With p_y = dL/dy exp(-r t)/T, and y(t) the integral of exp(r (t - u)) V(u), the integral of
    # p_y (V + r y) weights V(u) with exp(-r u) (1 + r (T - u)) dL/dy / T.
    read, y, V_T, moment = with_integral(n, r), sp.Symbol("y"), sp.Symbol("V_T"), sp.Symbol("moment")
    left_over = linear_neuron.shift_charge(read) + tau * linear_neuron.gradient_between_events(read, tau)
    weight = sp.integrate(sp.exp(-r * h) * sp.exp(r * (h - s)), (h, s, T))
    between = dL_dy * (y + r * (T * y - moment))
    by_unit = formulas.unit_of_running_readout(y, V_T, moment, r, T)
    at_T = {read.x[0]: V_T, read.x[3]: T * y * sp.exp(r * T)}
    left = linear_neuron.shift_charge(read).subs(
        [*zip(read.p, linear_neuron.at_end(read.p, dL_dy, r, T), strict=True)]).subs(at_T)
    return {
        "between events: - tau g_tau": H + tau * by_tau,
        "a spike and its arrivals: d g_d - t_post dl_p/dt_post": caused - d * down + t_post * dl_p_dt_post,
        "an integral, between events": left_over - read.p[3] * (read.x[0] + r * read.x[3]),
        "an integral: its weight of V": weight - (T - s) * sp.exp(-r * s),
        "an integral: what is left": between - T * left - dL_dy * by_unit,
    }


@theorem("identity-readout", "C and B with a mean or exp-weighted readout: y under a shift and a unit of time")
def running_readouts() -> Residuals:
    # One input arrival at t_in at a readout neuron; a sum over arrivals follows by superposition.
    V_T, I_T, integral = w * flow(linear_neuron.lif_rates(tau_mem, tau_syn, r), T - t_in)[:, 1]
    y = sp.exp(-r * T) * integral / T
    scaled = tau_mem * sp.diff(y, tau_mem) + tau_syn * sp.diff(y, tau_syn) + t_in * sp.diff(y, t_in)
    moment, late = -sp.diff(y, r), w * t_in * sp.exp(-r * t_in)
    return {
        "C": sp.diff(y, t_in) - formulas.shift_of_running_readout(y, V_T, r, T),
        "B": scaled - formulas.unit_of_running_readout(y, V_T, moment, r, T),
        "the moment": moment - formulas.moment_of_running_readout(y, V_T, I_T, late, r, T, tau_mem, tau_syn),
        "C, mean": sp.limit(formulas.shift_of_running_readout(y, V_T, r, T), r, 0) + V_T / T,
        "y dL/dy = w g_w": w * sp.diff(y, w) - y,
    }
