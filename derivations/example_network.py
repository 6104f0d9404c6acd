"""A whole network: the adjoint formulas against the implicit derivative of its spike times.

Assumed: an input spike reaches neuron a; a spikes at t_1, receives its own spike after d_r, and
spikes again at t_2. Both spikes reach neuron b after d_o, and b spikes at t_3. The loss is any
function of the three times, with derivative c_k by t_k. Time constants, thresholds, reset, weights
and delays are symbols.

Shown: the times solve three crossing conditions, which alone give their derivatives by each of the
twelve parameters. The adjoint formulas, run backwards event by event, give the same derivatives,
and these obey the identities A, B and C.
"""

import sympy as sp

from delayprop.derivations import formulas
from delayprop.derivations.proof import Residuals, theorem
from delayprop.derivations.symbols import d, t_in, tau_mem, tau_syn, v_reset, v_th, w
from delayprop.derivations.trajectory import State, backwards, by_tau, forwards

w_r, w_o, v_th_b = sp.symbols("w_r w_o v_th_b", real=True)
d_r, d_o = sp.symbols("d_r d_o", nonnegative=True)
t_1, t_2, t_3 = TIMES = sp.symbols("t_1:4", real=True)
h_1, h_2, h_3 = LEFT = sp.symbols("h_1:4", positive=True)  # from the last arrival before a crossing to the crossing
Vdot_1, Vdot_2, Vdot_3 = SLOPES = sp.symbols("Vdot_1:4", positive=True)
c_1, c_2, c_3 = DL_DT = sp.symbols("c_1:4", real=True)  # dl_p/dt_k
ZERO = sp.S.Zero


def arrive(state: State, weight: sp.Expr) -> State:
    return state[0], state[1] + weight


def at_crossing(lambda_V_plus: sp.Expr, dl_p_dt_post: sp.Expr, slope: sp.Expr, slope_plus: sp.Expr) -> sp.Expr:
    dL_dt_post = formulas.dL_dt_post_at_crossing(dl_p_dt_post, ZERO, ZERO, ZERO)
    return formulas.lambda_V_at_crossing(lambda_V_plus, dL_dt_post, tau_mem, slope, slope_plus)


# The first network, forwards: the state of a and b just after each arrival and each spike.
to_1, to_2, between, to_3 = t_1 - t_in - d, t_2 - t_1 - d_r, t_2 - t_1, t_3 - t_2 - d_o
a_input = (ZERO, w)
a_first = forwards(*a_input, to_1)
a_reset = (v_reset, a_first[1])
a_self = arrive(forwards(*a_reset, d_r), w_r)
a_second = forwards(*a_self, to_2)
b_first = (ZERO, w_o)
b_second = arrive(forwards(*b_first, between), w_o)
b_spike = forwards(*b_second, to_3)

BY_LEFT = {t_3: t_2 + d_o + h_3, t_2: t_1 + d_r + h_2, t_1: t_in + d + h_1}
CROSSINGS = (a_first, a_second, b_spike)


def named(expression: sp.Expr) -> sp.Expr:
    """Spike times replaced by intervals since the last arrival, so that all symbols are free."""
    for time, by_left in BY_LEFT.items():
        expression = expression.subs(time, by_left)
    return expression


def adjoint_gradient() -> dict[sp.Symbol, sp.Expr]:
    """The backward pass, latest event first; the slopes of the three crossings are symbols."""
    at_3 = (at_crossing(ZERO, c_3, Vdot_3, ZERO), ZERO)
    at_b_second = backwards(*at_3, to_3)
    at_b_first = backwards(*at_b_second, between)
    sent_2, sent_1 = (formulas.dL_dt_arr(w_o, *adjoint) for adjoint in (at_b_second, at_b_first))

    at_2 = (at_crossing(ZERO, c_2 + sent_2, Vdot_2, ZERO), ZERO)
    at_self = backwards(*at_2, to_2)
    sent_self = formulas.dL_dt_arr(w_r, *at_self)
    after_1 = backwards(*at_self, d_r)
    slope_plus = formulas.Vdot(*a_reset, tau_mem)
    at_1 = (at_crossing(after_1[0], c_1 + sent_1 + sent_self, Vdot_1, slope_plus), after_1[1])
    at_input = backwards(*at_1, to_1)
    received = formulas.dL_dt_arr(w, *at_input)

    intervals = (
        (at_1, a_input, to_1), (at_self, a_reset, d_r), (at_2, a_self, to_2), (at_b_second, b_first, between),
        (at_3, b_second, to_3),
    )
    shares = [by_tau(*interval) for interval in intervals]
    of_weight = formulas.dL_dw_at_arrival
    return {
        t_in: received, d: received, w: of_weight(tau_syn, at_input[1]),
        d_r: sent_self, w_r: of_weight(tau_syn, at_self[1]),
        d_o: sent_1 + sent_2, w_o: of_weight(tau_syn, at_b_first[1]) + of_weight(tau_syn, at_b_second[1]),
        v_th: sum(formulas.dL_dv_th_at_crossing(tau_mem, adjoint[0]) for adjoint in (at_1, at_2)),
        v_th_b: formulas.dL_dv_th_at_crossing(tau_mem, at_3[0]),
        v_reset: formulas.dL_dv_reset_at_crossing(tau_mem, after_1[0]),
        tau_mem: sum(share[0] for share in shares),
        tau_syn: sum(share[1] for share in shares),
    }


@theorem("example-network", "two neurons, a self-connection, 3 spikes, 12 parameters: adjoint = implicit derivative")
def network() -> Residuals:
    conditions = sp.Matrix([a_first[0] - v_th, a_second[0] - v_th, b_spike[0] - v_th_b])
    by_times = conditions.jacobian(TIMES)
    residuals = {}
    for k, (state, slope) in enumerate(zip(CROSSINGS, SLOPES, strict=True)):
        residuals[f"slope {k + 1}"] = by_times[k, k] - formulas.Vdot(*state, tau_mem)
        by_times[k, k] = slope
    multipliers = by_times.T.upper_triangular_solve(sp.Matrix(DL_DT))
    for parameter, claimed in adjoint_gradient().items():
        direct = -(multipliers.T * conditions.diff(parameter))[0]
        residuals[f"dL/d{parameter}"] = named(direct - claimed)
    return residuals


@theorem("example-identities", "this network obeys A, B and C exactly")
def network_identities() -> Residuals:
    gradient = adjoint_gradient()

    def total(*parameters: sp.Symbol) -> sp.Expr:
        return sum(parameter * gradient[parameter] for parameter in parameters)

    scale = total(w, w_r, w_o, v_th, v_th_b, v_reset)
    unit = total(d, d_r, d_o, tau_mem, tau_syn, t_in) - sum(t * c for t, c in zip(TIMES, DL_DT, strict=True))
    shift = gradient[t_in] - sum(DL_DT)
    onto_b = gradient[d_o] - DL_DT[-1]

    # Slopes and thresholds are those of the trajectory; two crossings of v_th fix the reset of a.
    first, second, third = crossings = [(named(V), named(I)) for V, I in CROSSINGS]
    slopes = {slope: formulas.Vdot(V, I, tau_mem) for slope, (V, I) in zip(SLOPES, crossings, strict=True)}
    (reset,) = sp.solve(second[0] - first[0], v_reset)
    return {
        "A": named(scale).subs({v_th: first[0], v_th_b: third[0]}).subs(v_reset, reset),
        "B": named(unit).subs(slopes),
        "C": named(shift).subs(slopes),
        "C, delays onto b": named(onto_b).subs(slopes),
    }
