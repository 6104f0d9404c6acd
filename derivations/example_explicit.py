"""An explicit network: the adjoint formulas against `sympy.diff` of the loss itself.

Assumed: tau_mem = 2 tau_syn. Then every crossing is the root of a quadratic in exp(-h/tau_mem), and
the loss is an explicit formula in all parameters. An input makes neuron a spike twice, at t_1 and,
starting from v_reset, at t_2. The two arrivals at a readout neuron b without threshold make a
maximum y. The loss is any function of t_1, t_2 and y.

Shown: the adjoint formulas, run backwards event by event, give the derivative of this formula by
every parameter, including the one change of the time constants that keeps their ratio. The other
side needs no implicit function theorem and no adjoint: roots, logarithms and `sympy.diff` suffice.
"""

import sympy as sp

from delayprop.derivations import formulas
from delayprop.derivations.example_network import ZERO, arrive, at_crossing, c_1, c_2, d_o, w_o
from delayprop.derivations.proof import Residuals, theorem
from delayprop.derivations.symbols import d, dL_dy, t_in, tau_mem, tau_syn, v_reset, v_th, w
from delayprop.derivations.trajectory import State, backwards, by_tau, forwards

# The problem is written in its roots: x = exp(-h/tau_mem) at the first crossing, z at the second.
x, z = sp.symbols("x z", positive=True)
h_1, h_2 = -tau_mem * sp.log(x), -tau_mem * sp.log(z)
a_input: State = (ZERO, w)
NAMED_V_TH = w * (x - x**2)
NAMED_V_RESET = NAMED_V_TH / z - w * x**2 * (1 - z)


def explicit_gradient() -> dict[sp.Symbol, sp.Expr]:
    """Derivatives of the explicit loss, roots and all, then written in x and z."""

    def larger_root(V: sp.Expr, I: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
        """Of V x + I (x - x^2) = v_th, and the square root in it."""
        root = sp.sqrt((V + I) ** 2 - 4 * I * v_th)
        return (V + I + root) / (2 * I), root

    x_1, root_1 = larger_root(ZERO, w)
    I_1 = w * x_1**2
    x_2, root_2 = larger_root(v_reset, I_1)
    t_1 = t_in + d - tau_mem * sp.log(x_1)
    t_2 = t_1 - tau_mem * sp.log(x_2)
    V_b, I_b = w_o * (x_2 - x_2**2), w_o * (x_2**2 + 1)
    y = (V_b + I_b) ** 2 / (4 * I_b)  # the vertex of V x + I (x - x^2)
    loss = c_1 * t_1 + c_2 * t_2 + dL_dy * y

    def named(expression: sp.Expr) -> sp.Expr:
        # The larger root x of V x + I (x - x^2) = v_th has 2 x I - V - I for its square root.
        expression = expression.subs(root_2, 2 * z * I_1 - v_reset - I_1)
        expression = expression.subs(root_1, 2 * x * w - w)
        return expression.subs({v_reset: NAMED_V_RESET, v_th: NAMED_V_TH}, simultaneous=True)

    return {p: named(sp.diff(loss, p)) for p in (t_in, d, w, v_th, v_reset, w_o, d_o, tau_mem)}


def adjoint_gradient() -> dict[sp.Symbol, sp.Expr]:
    """The backward pass, latest event first; `tau_mem` varies at a fixed ratio to `tau_syn`."""
    a_first = forwards(*a_input, h_1)
    a_reset = (v_reset, a_first[1])
    a_second = forwards(*a_reset, h_2)
    b_first: State = (ZERO, w_o)
    b_second = arrive(forwards(*b_first, h_2), w_o)
    to_peak = formulas.peak_time(*b_second, tau_mem, tau_syn)

    at_peak: State = (formulas.lambda_V_at_maximum(ZERO, dL_dy, tau_mem), ZERO)
    at_b_second = backwards(*at_peak, to_peak)
    at_b_first = backwards(*at_b_second, h_2)
    sent_2, sent_1 = (formulas.dL_dt_arr(w_o, *adjoint) for adjoint in (at_b_second, at_b_first))

    slope_1, slope_2 = (formulas.Vdot(v_th, state[1], tau_mem) for state in (a_first, a_second))
    slope_plus_1, slope_plus_2 = (formulas.Vdot(v_reset, state[1], tau_mem) for state in (a_first, a_second))
    at_2: State = (at_crossing(ZERO, c_2 + sent_2, slope_2, slope_plus_2), ZERO)
    after_1 = backwards(*at_2, h_2)
    at_1: State = (at_crossing(after_1[0], c_1 + sent_1, slope_1, slope_plus_1), after_1[1])
    at_input = backwards(*at_1, h_1)

    intervals = ((at_1, a_input, h_1), (at_2, a_reset, h_2), (at_b_second, b_first, h_2), (at_peak, b_second, to_peak))
    shares = [by_tau(*interval) for interval in intervals]
    received, of_weight = formulas.dL_dt_arr(w, *at_input), formulas.dL_dw_at_arrival
    gradient = {
        t_in: received, d: received, w: of_weight(tau_syn, at_input[1]),
        v_th: sum(formulas.dL_dv_th_at_crossing(tau_mem, adjoint[0]) for adjoint in (at_1, at_2)),
        v_reset: formulas.dL_dv_reset_at_crossing(tau_mem, after_1[0]),
        w_o: of_weight(tau_syn, at_b_first[1]) + of_weight(tau_syn, at_b_second[1]),
        d_o: sent_1 + sent_2,
        tau_mem: sum(by_mem + by_syn / 2 for by_mem, by_syn in shares),
    }
    named = {tau_syn: tau_mem / 2, v_reset: NAMED_V_RESET, v_th: NAMED_V_TH}
    return {parameter: value.subs(named, simultaneous=True) for parameter, value in gradient.items()}


@theorem("example-explicit", "an input, two spikes, a maximum, tau_mem = 2 tau_syn: adjoint = sympy.diff of the loss")
def explicit_network() -> Residuals:
    direct, adjoint = explicit_gradient(), adjoint_gradient()
    return {f"dL/d{parameter}": direct[parameter] - adjoint[parameter] for parameter in direct}
