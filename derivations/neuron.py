"""Any neuron that is linear between events: the adjoint, from its equations alone.

Assumed: `x' = A x` between events, an arrival that adds `w e`, and an own spike where `c.x` reaches
`v_th` from below, which gives `R x + r`. All that follows an event is a loss with sensitivities
`p = dL/dx` just after it; along a free trajectory this loss stays.

Shown, for the equations of each neuron of `delayprop.spec.neuron`: the claims of
`linear_neuron.py`. A move of the state and one of a constant are differentiated together: between
events by the linearised equation, at an arrival by the flow over a short time, at a spike by
implicit differentiation of `c.x(t) = v_th`. For the neuron of the paper the claims are the paper's
formulas.
"""

import sympy as sp

from delayprop.derivations import formulas, linear_neuron
from delayprop.derivations.linear_neuron import LinearNeuron
from delayprop.derivations.proof import Residuals, Theorem, theorem
from delayprop.derivations.symbols import dL_dt_post, dL_dy, lambda_I, lambda_V, s, w
from delayprop.spec.neuron import LIF, NEURONS, Neuron


def residuals(neuron: Neuron) -> dict[str, sp.Expr]:
    """Derived minus claimed, of everything that can happen to a neuron."""
    n = LinearNeuron.of(neuron).of_any_entries()
    return _between_events(n) | _at_arrivals(n) | (_at_spike(n) if any(n.c) else {})


def _between_events(n: LinearNeuron) -> dict[str, sp.Expr]:
    """A move dx follows dx' = A dx + A_theta x dtheta, and dL = p.dx + what dtheta still adds."""
    dx = sp.Matrix([sp.Dummy(f"d{state}") for state in n.x])
    backwards = linear_neuron.adjoint_slope(n)
    found = {"p.dx between events": backwards.dot(dx) + n.p.dot(n.A * dx)}
    for name, theta in n.constants.items():
        driven = n.A * dx + sp.diff(n.A, theta) * n.x
        gain = backwards.dot(dx) + n.p.dot(driven)
        found[f"dL/d{name} between events"] = gain - linear_neuron.gradient_between_events(n, theta)
    return found


def _at_arrivals(n: LinearNeuron) -> dict[str, sp.Expr]:
    """The state at s, just behind an arrival at s, against that of an arrival at 0."""
    found = {}
    for state, e in n.arrivals.items():
        by_weight, by_time = linear_neuron.at_arrival(n, state)
        moved = _flow(n, n.x) + w * e
        unmoved = _flow(n, n.x + w * e)
        found[f"dL/dw at {state}"] = sp.diff(n.p.dot(moved), w).subs(s, 0) - by_weight
        found[f"dL/dt_arr at {state}"] = sp.diff(n.p.dot(moved - unmoved), s).subs(s, 0) - by_time
    return found


def _at_spike(n: LinearNeuron) -> dict[str, sp.Expr]:
    """The moved neuron spikes at a time t that is 0 without moves.

    The state just after, seen at 0, is flowed back by t. The constants of this flow, and of the one
    before the spike, are held: what they move is the gain between events.
    """
    held = {theta: sp.Dummy(name) for name, theta in n.constants.items()}
    released = {stand_in: theta for theta, stand_in in held.items()}
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
    p_minus = linear_neuron.before_spike(n, q)
    p_minus[0] += dL_dy
    found = {f"dL/d{move.name} before a spike": derived(move) - p_minus[i] for i, move in enumerate(n.x)}
    for name, theta in n.constants.items():
        found[f"dL/d{name} at a spike"] = derived(theta) - linear_neuron.gradient_at_spike(n, theta, q)
    return found


def _flow(n: LinearNeuron, x: sp.Matrix) -> sp.Matrix:
    """The state a short time s later, to first order."""
    return x + s * n.A * x


def _theorem(name: str, neuron: Neuron) -> Theorem:
    statement = f"`{name}`: p' = -A^T p, dL/dw = e.p, dL/dt_arr = -w (A e).p, jump and constants by q"
    return Theorem(f"neuron-{name}", statement, lambda: residuals(neuron))


lif, li, rise, alif, adlif, coupled, two_synapses = (_theorem(name, neuron) for name, neuron in NEURONS.items())


@theorem("neuron-paper", "for `lif`, with p = -(tau_mem lambda_V, tau_syn lambda_I), the claims are the paper's")
def the_neuron_of_the_paper() -> Residuals:
    n = LinearNeuron.of(LIF)
    tau_mem, tau_syn, v_th, v_reset = n.constants.values()
    V, I = n.x
    here = dict(zip(n.p, (-tau_mem * lambda_V, -tau_syn * lambda_I), strict=True))
    slope = [sp.diff(flow, s).subs(s, 0) for flow in (  # backwards in time
        formulas.lambda_V_flow(lambda_V, s, tau_mem), formulas.lambda_I_flow(lambda_V, lambda_I, s, tau_mem, tau_syn),
    )]
    p_slope = linear_neuron.adjoint_slope(n).subs(here)
    by_weight, by_time = (claim.subs(here) for claim in linear_neuron.at_arrival(n, "I"))
    at_spike = {**here, V: v_th}
    q = linear_neuron.spike_shift(n)
    p_minus = linear_neuron.before_spike(n, q).subs(at_spike)
    jump = formulas.lambda_V_at_crossing(lambda_V, dL_dt_post, tau_mem, formulas.Vdot(v_th, I, tau_mem),
                                         formulas.Vdot(v_reset, I, tau_mem))
    gains = [linear_neuron.gradient_between_events(n, tau).subs(here) for tau in (tau_mem, tau_syn)]
    by_v_th, by_v_reset = (linear_neuron.gradient_at_spike(n, v, q).subs(at_spike) for v in (v_th, v_reset))
    return {
        "lambda_V'": p_slope[0] - tau_mem * slope[0],
        "lambda_I'": p_slope[1] - tau_syn * slope[1],
        "dL/dw": by_weight - formulas.dL_dw_at_arrival(tau_syn, lambda_I),
        "dL/dt_arr": by_time - formulas.dL_dt_arr(w, lambda_V, lambda_I),
        "lambda_V before a spike": p_minus[0] + tau_mem * jump,
        "lambda_I before a spike": p_minus[1] + tau_syn * lambda_I,
        "dL/dtau_mem": gains[0] - lambda_V * formulas.Vdot(V, I, tau_mem),
        "dL/dtau_syn": gains[1] - lambda_I * (-I / tau_syn),
        "dL/dv_th": by_v_th - formulas.dL_dv_th_at_crossing(tau_mem, jump),
        "dL/dv_reset": by_v_reset - formulas.dL_dv_reset_at_crossing(tau_mem, lambda_V),
    }
