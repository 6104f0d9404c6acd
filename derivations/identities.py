"""Three identities of every correct gradient, from three symmetries of the model.

Assumed: zero state at 0, zero adjoint at T, no spike at T itself. `l_p` depends on spike times, and
y is a `max_voltage` readout (interior, or on an inhibitory arrival).

    A  scale of V:     sum w g_w + sum v_th g_v_th + sum v_reset g_v_reset = sum y dL/dy
    B  unit of time:   sum d g_d + sum tau_mem g_tau_mem + sum tau_syn g_tau_syn + sum t_in g_t_in
                           = sum t_k dl_p/dt_k
    C  shift of time:  sum g_t_in = sum dl_p/dt_k

C holds at every layer too: if all delays of the spikes from outside are longer by one time, all
spikes of this layer and of those after it are later, so the sum of these g_d is that of the
dl_p/dt_k behind it.

Shown twice. First, scaling or shifting maps solutions to solutions, so spike times and readouts are
homogeneous, and Euler's theorem gives the identities. Second, from the adjoint formulas alone: each
symmetry has a charge, summed over neurons. It is constant between events, changes at each event by
one term of the identity, and is 0 at both ends of the trial, so the terms add up to 0. A wrong jump
formula breaks this sum.

 - A: the charge is tau_mem lambda_V V + tau_syn lambda_I I.
 - C: the charge is H = tau_mem lambda_V Vdot + tau_syn lambda_I Idot. It grows by dL/dt_arr at an
   arrival and falls by dL/dt_post at a spike; arrivals caused by a spike are in both and cancel.
 - B: the charge is t H. Between events it grows by the integral of H, that is by tau_mem g_tau_mem
   + tau_syn g_tau_syn (`parameters.py`); at events it grows by t times the change of H, where t_arr
   = t_pre + d gives d g_d.

A maximum at T adds dL/dy Vdot(T) to the left of C, and T times this term to the left of B. A
running readout adds y dL/dy to the right of A, and dL/dy times `shift_of_running_readout` and
`unit_of_running_readout` to the right of C and B, where T counts as fixed. The charges show this
for any neuron, spiking or not: they grow by the integral of g exp(-r t) Vdot and of t times it, and
the terms l_V_minus - l_V_plus of its spikes take the resets out again.
"""

import sympy as sp

from delayprop.derivations import formulas
from delayprop.derivations.proof import Residuals, theorem
from delayprop.derivations.symbols import (
    I,
    T,
    V,
    d,
    dL_dt_arr_down,
    dL_dt_post,
    dL_dy,
    dl_p_dt_post,
    g,
    h,
    lambda_I,
    lambda_V,
    lambda_V_plus,
    r,
    s,
    t_in,
    t_post,
    t_pre,
    tau_mem,
    tau_syn,
    v_reset,
    v_th,
    w,
)
from delayprop.derivations.trajectory import backwards, by_tau, forwards

c = sp.Symbol("c", positive=True)
TAUS = (tau_mem, tau_syn)


@theorem("symmetry", "scaling V, I, w, v_th, v_reset, or every time, or shifting time maps solutions to solutions")
def symmetries() -> Residuals:
    V_h, I_h = forwards(V, I, h)
    V_scaled, I_scaled = forwards(c * V, c * I, h)
    peak = formulas.peak_time(V, I, *TAUS)
    slow = (c * tau_mem, c * tau_syn)
    return {
        "scale: V": V_scaled - c * V_h,
        "scale: I": I_scaled - c * I_h,
        "scale: the arrival": (c * I + c * w) - c * (I + w),
        "scale: the crossing": (V_scaled - c * v_th) - c * (V_h - v_th),
        "scale: the sign of the slope": formulas.Vdot(c * v_th, c * I, tau_mem) - c * formulas.Vdot(v_th, I, tau_mem),
        "scale: the time of the peak": formulas.peak_time(c * V, c * I, *TAUS) - peak,
        "unit: V": formulas.V_flow(V, I, c * h, *slow) - V_h,
        "unit: I": formulas.I_flow(I, c * h, slow[1]) - I_h,
        "unit: the arrival": (c * t_pre + c * d) - c * (t_pre + d),
        "unit: the sign of the slope": formulas.Vdot(v_th, I, slow[0]) - formulas.Vdot(v_th, I, tau_mem) / c,
        "unit: the time of the peak": formulas.peak_time(V, I, *slow) - c * peak,
        "shift: the flow has no origin": sp.diff(formulas.V_flow(V, I, (t_post + s) - (t_pre + s), *TAUS), s),
    }


@theorem("symmetry-euler", "f(c x) = c^k f(x) and f(x + e) = f(x) + k e give sum x df/dx = k f and sum df/dx = k")
def euler() -> Residuals:
    k = sp.Symbol("k", real=True)
    x = sp.symbols("x1:4", positive=True)
    f = sp.Function("f")
    gradient = [sp.Subs(sp.diff(f(*x), xi), x, x).doit() for xi in x]

    def derivative_at(start: sp.Expr, moved: list[sp.Expr], claimed: sp.Expr) -> sp.Expr:
        """d/dc of f at the moved arguments, minus d/dc of the claim, at c = `start`."""
        return (sp.diff(f(*moved), c) - sp.diff(claimed, c)).subs(c, start).doit()

    scaled = derivative_at(sp.S.One, [c * xi for xi in x], c**k * f(*x))
    shifted = derivative_at(sp.S.Zero, [xi + c for xi in x], f(*x) + k * c)
    return {
        "homogeneous of degree k": scaled - sum(xi * df for xi, df in zip(x, gradient, strict=True)) + k * f(*x),
        "moves k times the shift": shifted - sum(gradient) + k,
    }


def on_an_interval(s: sp.Expr, drive: sp.Expr) -> tuple[sp.Expr, sp.Expr, sp.Expr, sp.Expr]:
    """(V, I, lambda_V, lambda_I) at time s of [0, h]: the state given at 0, the adjoint at h."""
    return *forwards(V, I, s), *backwards(lambda_V, lambda_I, h - s, drive, r)


def lambda_V_before_spike(dL_dt_post: sp.Expr) -> sp.Expr:
    slopes = formulas.Vdot(v_th, I, tau_mem), formulas.Vdot(v_reset, I, tau_mem)
    return formulas.lambda_V_at_crossing(lambda_V_plus, dL_dt_post, tau_mem, *slopes)


@theorem("identity-A", "A: sum w g_w + v_th g_v_th + v_reset g_v_reset = sum y dL/dy (0 for losses of spike times)")
def identity_A() -> Residuals:
    def charge(V: sp.Expr, I: sp.Expr, lambda_V: sp.Expr, lambda_I: sp.Expr) -> sp.Expr:
        return formulas.scale_charge(V, I, lambda_V, lambda_I, *TAUS)

    arrival = charge(V, I + w, lambda_V, lambda_I) - charge(V, I, lambda_V, lambda_I)
    before = lambda_V_before_spike(dL_dt_post)
    spike = charge(v_reset, I, lambda_V_plus, lambda_I) - charge(v_th, I, before, lambda_I)
    by_threshold = v_th * formulas.dL_dv_th_at_crossing(tau_mem, before)
    by_reset = v_reset * formulas.dL_dv_reset_at_crossing(tau_mem, lambda_V_plus)
    kicked = formulas.lambda_V_at_maximum(lambda_V_plus, dL_dy, tau_mem)
    maximum = charge(V, I, lambda_V_plus, lambda_I) - charge(V, I, kicked, lambda_I)
    drive = g * sp.exp(-r * h)
    readout = charge(*on_an_interval(h, drive)) - charge(*on_an_interval(sp.S.Zero, drive))
    return {
        "constant between events": sp.diff(charge(*on_an_interval(s, sp.S.Zero)), s),
        "arrival: - w g_w": arrival + w * formulas.dL_dw_at_arrival(tau_syn, lambda_I),
        "spike: - v_th g_v_th - v_reset g_v_reset": spike + by_threshold + by_reset,
        "maximum: + y dL/dy": maximum - V * dL_dy,
        "running readout: + g int exp(-r t) V dt": readout - g * formulas.V_integral(V, I, h, r, *TAUS),
    }


@theorem("identity-C", "C: sum g_t_in = sum dl_p/dt_k; an interior maximum, or one on an arrival, changes nothing")
def identity_C() -> Residuals:
    charge = formulas.shift_charge
    arrival = charge(V, I + w, lambda_V, lambda_I) - charge(V, I, lambda_V, lambda_I)
    before = lambda_V_before_spike(dL_dt_post)
    spike = charge(v_reset, I, lambda_V_plus, lambda_I) - charge(v_th, I, before, lambda_I)
    kicked = formulas.lambda_V_at_maximum(lambda_V_plus, dL_dy, tau_mem)
    maximum = charge(V, V, lambda_V_plus, lambda_I) - charge(V, V, kicked, lambda_I)

    # On a maximum the arrival turns a slope up > 0 into a slope -down < 0.
    up, down = sp.symbols("up down", positive=True)
    turn = -tau_mem * (up + down)
    pinned = charge(V, V - tau_mem * down, lambda_V_plus, lambda_I) - charge(V, V + tau_mem * up, kicked, lambda_I)
    dL_dt_arr = formulas.dL_dt_arr(turn, lambda_V_plus, lambda_I)
    dL_dt_arr += formulas.dL_dt_arr_at_pinned_maximum(dL_dy, turn, tau_mem, -down)
    at_end = -charge(V, I, formulas.lambda_V_at_maximum(sp.S.Zero, dL_dy, tau_mem), sp.S.Zero)

    # The sum over events after the arrivals caused by spikes have cancelled. For the neurons of a
    # layer and those after it, the arrivals from outside are in g_d of the layer.
    from_outside = sp.Symbol("from_outside")
    total = from_outside + dL_dt_arr_down - formulas.dL_dt_post_at_crossing(dl_p_dt_post, 0, 0, dL_dt_arr_down)
    drive = g * sp.exp(-r * h)
    readout = charge(*on_an_interval(h, drive)) - charge(*on_an_interval(sp.S.Zero, drive))
    passed = sp.exp(-r * h) * formulas.V_flow(V, I, h, *TAUS) - V + r * formulas.V_integral(V, I, h, r, *TAUS)
    return {
        "constant between events": sp.diff(charge(*on_an_interval(s, sp.S.Zero)), s),
        "arrival: + dL/dt_arr": arrival - formulas.dL_dt_arr(w, lambda_V, lambda_I),
        "spike: - dL/dt_post": spike + dL_dt_post,
        "interior maximum: nothing": maximum,
        "maximum on an arrival: + dL/dt_arr as corrected": pinned - dL_dt_arr,
        "maximum at T: + dL/dy Vdot(T)": at_end - dL_dy * formulas.Vdot(V, I, tau_mem),
        "the sum over events": total - (from_outside - dl_p_dt_post),
        "running readout: + g int exp(-r t) Vdot dt": readout - g * passed,
    }


@theorem("identity-B", "B: sum d g_d + sum tau g_tau + sum t_in g_t_in = sum t_k dl_p/dt_k")
def identity_B() -> Residuals:
    # Between events H is constant, so t H grows by H h: the share of the time constants.
    grown = h * formulas.shift_charge(*on_an_interval(s, sp.S.Zero))
    by_mem, by_syn = by_tau((lambda_V, lambda_I), (V, I), h)

    # An arrival caused by a spike adds t_arr dL/dt_arr, the spike subtracts t_post dL/dt_arr.
    down = dL_dt_arr_down
    caused = (t_post + d) * down - t_post * formulas.dL_dt_post_at_crossing(dl_p_dt_post, 0, 0, down)

    # A running readout: the time constants have their share of it, and t H grows by the rest.
    integral = formulas.V_integral(V, I, h, r, *TAUS)
    of_taus = tau_mem * (by_mem + g * formulas.dV_integral_dtau_mem(V, I, h, r, *TAUS))
    of_taus += tau_syn * (by_syn + g * formulas.dV_integral_dtau_syn(I, h, r, *TAUS))
    read = h * formulas.shift_charge(*on_an_interval(h, g * sp.exp(-r * h))) - of_taus
    late = h * sp.exp(-r * h) * formulas.V_flow(V, I, h, *TAUS) - integral - r * sp.diff(integral, r)
    return {
        "between events: + tau_mem g_tau_mem + tau_syn g_tau_syn": grown - tau_mem * by_mem - tau_syn * by_syn,
        "running readout: + g int t exp(-r t) Vdot dt": read - g * late,
        "a spike and its arrivals: + d g_d - t_post dl_p/dt_post": caused - d * down + t_post * dl_p_dt_post,
    }


@theorem("identity-readout", "C and B with a mean or exp-weighted readout: y under a shift and a unit of time")
def running_readouts() -> Residuals:
    # One input arrival at t_in at a readout neuron; a sum over arrivals follows by superposition.
    left = T - t_in
    y = sp.exp(-r * t_in) * formulas.V_integral(sp.S.Zero, w, left, r, *TAUS) / T
    V_T, I_T = forwards(sp.S.Zero, w, left)
    scaled = tau_mem * sp.diff(y, tau_mem) + tau_syn * sp.diff(y, tau_syn) + t_in * sp.diff(y, t_in)
    moment, late = -sp.diff(y, r), w * t_in * sp.exp(-r * t_in)
    return {
        "C": sp.diff(y, t_in) - formulas.shift_of_running_readout(y, V_T, r, T),
        "B": scaled - formulas.unit_of_running_readout(y, V_T, moment, r, T),
        "the moment": moment - formulas.moment_of_running_readout(y, V_T, I_T, late, r, T, *TAUS),
        "C, mean": sp.limit(formulas.shift_of_running_readout(y, V_T, r, T), r, 0) + V_T / T,
        "y dL/dy = w g_w": w * sp.diff(y, w) - y,
    }
