"""Readouts of a voltage: a sample kicks, an integral is one more state, a maximum kicks or moves.

Assumed: `y` is `V` at a given time, or `(1/T)` times the integral of `exp(-rate t) V` (the mean,
rate 0, or exp-weighted, rate `1/T`), or `max V` over the trial, attained once. Either this maximum
is interior, or it sits on an inhibitory arrival, where V rises until the arrival and falls after
it. Three further cases are simple. The 0 at the start depends on nothing. The last instant T is
moved by no parameter, so the kick alone is right. For a neuron that spikes the maximum is at its
spike (`neuron.py`).

Shown: a sample depends on the state before it, and on nothing that happens later, so `p_V` gains
`dL/dy` at its instant. An integral is a last state of the neuron, so all claims hold for it: a
reset drops its integrand, and the drop is part of the derivative by the spike time. A maximum
depends on the state before it as a sample at this instant does. An interior maximum moves, without
effect to first order. A maximum on an arrival moves *with* it along the slope before it:
`dy/dt_arr = V'_minus`. This term is missing from `-w (A e).p`, read just after as well as just
before the kick; the paper does not discuss the case. The claim is added to the reading just after.

If several arrivals share the instant of the maximum, the derivative is one-sided, and the claim is
that of a delay that grows. The other arrivals have come, and V continues with the slope
`V'_plus - w (A e)_V`: either it rises, or the maximum stays where the others left it.
"""

import sympy as sp

from delayprop.derivations import linear_neuron
from delayprop.derivations.flow import entries, triangular
from delayprop.derivations.linear_neuron import LinearNeuron, flow, with_integral
from delayprop.derivations.neuron import any_neuron, at_arrivals, at_spike, between_events
from delayprop.derivations.proof import Nonzero, Residuals, theorem
from delayprop.derivations.symbols import T, dL_dy, h, r, s, w


@theorem("readout", "y' = rate y + V: exp(-rate T) y(T)/T is the readout, and p_y(t) = dL/dy exp(-rate t)/T drives p_V")
def integral() -> Residuals:
    x = sp.Matrix(sp.symbols("x_0:2"))
    n = LinearNeuron(x, x, {}, {}, triangular(2), sp.zeros(2, 1), sp.S.Zero, sp.eye(2), sp.zeros(2, 1))
    state = sp.Symbol("y")
    after = flow(with_integral(n, r).A, h) * x.col_join(sp.Matrix([0]))
    end = linear_neuron.at_end(with_integral(n, r).p, dL_dy, r, T)
    before = flow(with_integral(n, r).A, T - s).T * end
    return entries("nothing else reads it", with_integral(n, r).A[:2, 2:]) | {
        "grows by the integrand": sp.diff(sp.exp(-r * h) * after[2], h) - sp.exp(-r * h) * after[0],
        "starts at 0": after[2].subs(h, 0),
        "the readout by its state": end[2] - dL_dy * sp.diff(sp.exp(-r * T) * state / T, state),
        "the drive": before[2] - dL_dy * sp.exp(-r * s) / T,
    }


@theorem("readout-events", "with an integral as a further state all claims at events hold: resets drop its integrand")
def events_of_an_integral() -> Residuals:
    n = with_integral(any_neuron(), r)
    return between_events(n) | at_arrivals(n) | at_spike(n)


@theorem("sample", "a voltage read at a given time adds dL/dy to p_V there")
def sample() -> Residuals:
    A, x, later = triangular(2), sp.Matrix(sp.symbols("x_0:2")), sp.Symbol("later")
    # L: by the sample, a time h after x, and by the state a time `later` after the sample.
    by_state = sp.Matrix(sp.symbols("p_0:2"))
    at_sample = flow(A, h) * x
    L = dL_dy * at_sample[0] + by_state.dot(flow(A, later) * at_sample)
    p = linear_neuron.at_reading(flow(A, later).T * by_state, dL_dy)
    earlier = flow(A, h).T * p
    return {f"dL/dx_{k} a time h before": earlier[k] - sp.diff(L, x[k]) for k in range(2)}


@theorem("max-interior", "an interior maximum is, to first order, a sample at its instant before a parameter moves")
def interior() -> Residuals:
    # V a time t behind its maximum, if a parameter moves: to second order, any V.
    top, by_move, mixed, bend, move, t = sp.symbols("top by_move mixed bend move t", positive=True)
    V = top + by_move * move + mixed * move * t - bend * t**2 / 2
    (instant,) = sp.solve(sp.diff(V, t), t)
    return {"as a sample there": sp.diff(V.subs(t, instant), move).subs(move, 0) - by_move}


@theorem("max-pinned", "a maximum on an inhibitory arrival adds dL/dy V'_minus to dL/dt_arr, and the usual kick to p_V")
def pinned() -> Residuals:
    # The unmoved arrival is at 0; V' is up just before, -down just after. Short times suffice.
    up, down, t = sp.symbols("up down t", positive=True)
    A, p, x_0 = sp.Matrix(2, 2, sp.symbols("A_00 A_01 A_10 A_11")), sp.Matrix(sp.symbols("p_0:2")), sp.Symbol("x_0")
    x, e = sp.Matrix([x_0, (up - A[0, 0] * x_0) / A[0, 1]]), sp.Matrix([0, 1])
    weight = -(up + down) / A[0, 1]
    before = x + t * A * x
    later = before + weight * e - t * A * (x + weight * e)  # seen at 0, as if the arrival were there
    derived = sp.diff(dL_dy * before[0] + p.dot(later), t).subs(t, 0)
    read_after, read_before = (
        -weight * (A * e).dot(read) for read in (p, linear_neuron.at_reading(p, dL_dy))
    )
    Vdot_plus = (A * (x + weight * e))[0]
    claimed = linear_neuron.dL_dt_arr_at_pinned_maximum(dL_dy, weight, A[0, 1], sp.simplify(Vdot_plus))
    return {
        "V'_plus": Vdot_plus + down,
        "dL/dt_arr": derived - read_after - claimed,
        "just after alone misses V'_minus": derived - read_after - dL_dy * up,
        "just before alone misses V'_plus": derived - read_before + dL_dy * down,
        "so just after alone is wrong": Nonzero((derived - read_after).subs(dL_dy, 1)),
        "and just before alone is wrong": Nonzero(sp.simplify((derived - read_before).subs(dL_dy, 1))),
    }


@theorem("max-pinned-tie", "several arrivals on it, one delay grows: dy/dt_arr = max(0, V'_plus - w (A e)_V)")
def pinned_by_several() -> Residuals:
    # Both arrivals are at 0; the one of weight w is delayed to t, the other one is not. Until t the
    # voltage flows on, and the maximum is the larger of V(0) and V(t).
    up, slope, t = sp.symbols("up slope t", positive=True)
    A, x_0, e = sp.Matrix(2, 2, sp.symbols("A_00 A_01 A_10 A_11")), sp.Symbol("x_0"), sp.Matrix([0, 1])
    x = sp.Matrix([x_0, (up - A[0, 0] * x_0) / A[0, 1]])  # V' is `up` before both
    residuals = {}
    for name, between in (("V still rises", slope), ("V falls already", -slope)):
        other = (between - up) / A[0, 1]  # the weight that turns the slope `up` into this one
        state = x + other * e
        gained = sp.expand(((state + t * A * state)[0] - state[0]) / t)
        Vdot_plus = sp.expand((A * (state + w * e))[0])
        claimed = linear_neuron.dL_dt_arr_at_pinned_maximum(dL_dy, w, A[0, 1], Vdot_plus)
        residuals[name] = dL_dy * sp.Max(0, sp.simplify(gained)) - claimed
    return residuals
