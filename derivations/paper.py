"""The paper's formulas follow, and where the paper errs.

Assumed: the neuron of the paper, `lif`, with `p = -(tau_mem lambda_V, tau_syn lambda_I)`, and the
claims for any neuron, proved in the chapters before. Equation numbers are those of the journal
version (Nature Communications 2025, s41467-025-65394-8). A running loss is an integral that is
read, of weight `p_y`: `l_V = p_y V`.

Shown: its adjoint equations 16 and 17, its jump 35 to 37, its weight gradient 38 and its delay
gradient 70, and those of the constants. The jump is by the ratio of the two slopes, which differ by
the reset; one slope for both sides is wrong by the size of the reset. The paper writes the ratio as
`1 + v_th/(tau_mem Vdot_minus)` (equation 66). This assumes that the neuron's current does not jump
at its own spike. With a self-connection of delay 0 it does, and the printed ratio is not the ratio
of the slopes. The printed jump still holds, because the arrival's own term supplies the difference.

The slips of `ERRATA` do not affect the paper's results. `python -m derivations --errata` prints the
list; `shown` names the theorem that shows the point.
"""

from dataclasses import dataclass

import sympy as sp

from delayprop.derivations import formulas, linear_neuron
from delayprop.derivations.linear_neuron import LinearNeuron, flow, lif_after, with_integral
from delayprop.derivations.proof import Nonzero, Residuals, theorem
from delayprop.derivations.symbols import (
    I,
    V,
    Vdot_minus,
    dL_dt_arr_down,
    dL_dt_post,
    dL_dy,
    dl_p_dt_post,
    h,
    lambda_I,
    lambda_V,
    s,
    tau_mem,
    tau_syn,
    v_reset,
    v_th,
    w,
)
from delayprop.spec.neuron import LIF

p_y, p_V, p_I = sp.Symbol("p_y", real=True), -tau_mem * lambda_V, -tau_syn * lambda_I
OF_PAPER = {"tau_mem": tau_mem, "tau_syn": tau_syn, "v_th": v_th, "v_reset": v_reset}


def in_its_words(claim: sp.Expr, n: LinearNeuron) -> sp.Expr:
    """A claim of `lif`, without or with an integral, in the symbols of the paper."""
    states = [*zip(n.x, (V, I, sp.Dummy("y")), strict=False), *zip(n.p, (p_V, p_I, p_y), strict=False)]
    constants = [(symbol, OF_PAPER[name]) for name, symbol in n.constants.items()]
    return claim.subs([*states, *constants], simultaneous=True)


lif = LinearNeuron.of(LIF)
TAUS = [lif.constants[name] for name in ("tau_mem", "tau_syn")]
with_loss = with_integral(lif, sp.S.Zero)  # a running loss whose weight p_y is a number over a short time


@theorem("paper-flow", "tau_mem lambda_V' = -lambda_V - dl_V/dV, tau_syn lambda_I' = -lambda_I + lambda_V; their flow")
def equations_16_and_17() -> Residuals:
    slope = in_its_words(linear_neuron.adjoint_slope(with_loss), with_loss)  # forward in time; ' is -d/dt
    earlier = in_its_words(flow(lif.A, h).T * lif.p, lif)
    equal = formulas.lambda_I_flow(lambda_V, lambda_I, h, tau_syn, tau_syn)
    return {
        "equation 16": slope[0] + lambda_V + p_y,
        "equation 17": slope[1] + lambda_I - lambda_V,
        "lambda_V, closed form": -earlier[0] / tau_mem - formulas.lambda_V_flow(lambda_V, h, tau_mem),
        "lambda_I, closed form": -earlier[1] / tau_syn
        - formulas.lambda_I_flow(lambda_V, lambda_I, h, tau_mem, tau_syn),
        "limit tau_mem = tau_syn": sp.limit(
            formulas.lambda_I_flow(lambda_V, lambda_I, h, tau_mem, tau_syn), tau_mem, tau_syn) - equal,
    }


@theorem("paper-arrival", "equations 38 and 70: dL/dw = -tau_syn lambda_I, dL/dd = w (lambda_V - lambda_I)")
def equations_38_and_70() -> Residuals:
    by_weight, by_time = (in_its_words(claim, lif) for claim in linear_neuron.at_arrival(lif, "I"))
    return {
        "equation 38": by_weight - formulas.dL_dw_at_arrival(tau_syn, lambda_I),
        "equation 70": by_time - formulas.dL_dt_arr(w, lambda_V, lambda_I),
    }


slope_minus, slope_plus = (formulas.Vdot(v, I, tau_mem) for v in (v_th, v_reset))


def jump(by_time: sp.Expr = dL_dt_arr_down) -> sp.Expr:
    """The claim for `lambda_V_minus`, with a running loss."""
    found = formulas.dL_dt_post_at_crossing(dl_p_dt_post, p_y * v_th, p_y * v_reset, by_time)
    return formulas.lambda_V_at_crossing(lambda_V, found, tau_mem, slope_minus, slope_plus)


def before_spike(n: LinearNeuron, x_plus: sp.Matrix) -> tuple[sp.Matrix, sp.Expr]:
    """`p` just before a spike that leaves `x_plus`, and its `q`, in the words of the paper."""
    moved = n.p.dot(n.R * n.A * n.x - n.A * x_plus)
    q = (moved + dl_p_dt_post + dL_dt_arr_down) / n.c.dot(n.A * n.x)
    return tuple(in_its_words(claim, n).subs(V, v_th) for claim in (linear_neuron.before_spike(n, q), q))


@theorem("paper-spike", "equations 35 to 37 and 67: lambda_V jumps by the slopes and dL_dt_post, lambda_I does not")
def equations_35_to_37() -> Residuals:
    n = with_loss
    (p_V_minus, p_I_minus, _), q = before_spike(n, n.R * n.x + n.r)
    q_claimed = in_its_words(linear_neuron.spike_shift(n), n).subs({V: v_th, dL_dt_post: dl_p_dt_post + dL_dt_arr_down})
    same_slope = formulas.lambda_V_at_crossing(lambda_V, dL_dt_post, tau_mem, slope_minus, slope_minus)
    two_slopes = formulas.lambda_V_at_crossing(lambda_V, dL_dt_post, tau_mem, slope_minus, slope_plus)
    reset, above = sp.symbols("reset above", positive=True)
    by_v_th, by_v_reset = (
        in_its_words(linear_neuron.gradient_at_spike(n, n.constants[name], sp.Symbol("q")), n)
        for name in ("v_th", "v_reset")
    )
    return {
        "q": q - q_claimed,
        "lambda_V": -p_V_minus / tau_mem - jump(),
        "lambda_I": -p_I_minus / tau_syn - lambda_I,
        "as the paper writes it": two_slopes - lambda_V - ((v_th - v_reset) * lambda_V + dL_dt_post) / (I - v_th),
        "dL/dv_th": by_v_th.subs(sp.Symbol("q"), q) - formulas.dL_dv_th_at_crossing(tau_mem, jump()),
        "dL/dv_reset": by_v_reset - formulas.dL_dv_reset_at_crossing(tau_mem, lambda_V),
        "one slope for both sides": Nonzero(
            (two_slopes - same_slope).subs({v_th: v_reset + reset, I: v_reset + reset + above, lambda_V: 1})),
    }


@theorem("paper-self", "self-connection with d = 0, its arrival after the reset: the jump holds, eq 66 does not")
def self_arrival() -> Residuals:
    # Derived: the current jumps at the spike. Claimed: the reset, then the arrival as an event.
    n = with_loss
    (p_V_minus, *_), _ = before_spike(n, n.R * n.x + n.r + w * n.arrivals["I"])
    claimed = jump(dL_dt_arr_down + formulas.dL_dt_arr(w, lambda_V, lambda_I))
    ratio_after = formulas.Vdot(v_reset, I + w, tau_mem) / slope_minus
    printed = 1 + (v_th - v_reset) / (tau_mem * slope_minus)
    return {
        "lambda_V_minus": -p_V_minus / tau_mem - claimed,
        "equation 66 misses the jump of the current": ratio_after - printed - w / (tau_mem * slope_minus),
    }


@theorem("paper-constants", "dL/dtau_mem and dL/dtau_syn are the integrals of lambda_V Vdot and lambda_I Idot")
def time_constants() -> Residuals:
    gains = [in_its_words(linear_neuron.gradient_between_events(lif, tau), lif) for tau in TAUS]
    return {
        "tau_mem": gains[0] - lambda_V * formulas.Vdot(V, I, tau_mem),
        "tau_syn": gains[1] - lambda_I * (-I / tau_syn),
    }


@theorem("paper-maximum", "a maximum kicks lambda_V by -(dL/dy)/tau_mem")
def maximum() -> Residuals:
    kicked = in_its_words(linear_neuron.at_reading(lif.p, dL_dy), lif)
    return {
        "lambda_V": -kicked[0] / tau_mem - formulas.lambda_V_at_maximum(lambda_V, dL_dy, tau_mem),
        "lambda_I": -kicked[1] / tau_syn - lambda_I,
    }


@dataclass(frozen=True)
class Erratum:
    where: str
    what: str
    shown: str = ""


ERRATA = (
    Erratum("eq 29",
            "The second line has + where inserting eq 21 gives -. The delay version, eq 56, has the right sign, and so "
            "have the equations built on it.", "erratum-29"),
    Erratum("eqs 12, 15, 42, 45, 46",
            "The boundary terms l_V^- and l_V^+ of the Leibniz rule stand outside the sum over events, but every event "
            "has its own pair.", "erratum-boundary"),
    Erratum("eqs 34, 61-65", "Terms of spike k (sums over its targets m) stand outside the sum over spikes k."),
    Erratum("eq 45", "A plus sign is missing between its first two lines."),
    Erratum("eq 66",
            "The ratio of the slopes takes the current as continuous at the spike. With a self-connection of delay 0 "
            "it is not. Eq 67 still holds if the arrival is an event after the reset.", "paper-self"),
    Erratum("maximum readout",
            "The kick at the maximum is complete for a smooth interior maximum only. If an inhibitory arrival makes "
            "the maximum, the maximum moves with the arrival, and lambda contains no term for this, before or after.",
            "max-pinned"),
    Erratum("distinct event times",
            "All events are assumed distinct. At a tie the derivative is one-sided; on a grid with delays in whole "
            "steps ties are the rule.", "max-pinned-tie"),
    Erratum("grazing spikes",
            "The gradient has a pole where a peak only just reaches the threshold, and it does not include a spike "
            "that appears or vanishes.", "spike-grazing"),
)


@theorem("erratum-29", "eq 29 as printed is wrong by 2 w dV_minus/(tau_syn Vdot_minus); eqs 33, 56 and 60 are right")
def sign_of_equation_29() -> Residuals:
    # An arrival delayed by t, its effect read at the fixed time 0: flow to t, arrive, flow back.
    V_t, I_t = lif_after(V, I, s, tau_mem, tau_syn)
    fixed = lif_after(V_t, I_t + w, -s, tau_mem, tau_syn)
    dV_sender = sp.Symbol("dV_sender")  # change of the sender's V just before its spike
    dt = -dV_sender / Vdot_minus
    dV, dI = (sp.diff(state, s).subs(s, 0) * dt for state in fixed)
    term = w * dV_sender / Vdot_minus
    return {
        "eq 29 with + is off by twice the term": term / tau_syn - dI - 2 * term / tau_syn,
        "eqs 29 and 56 with -": -term / tau_syn - dI,
        "eqs 33 and 60": term / tau_mem - dV,
    }


@theorem("erratum-boundary", "eqs 12, 15, 42, 45, 46: each event adds (l_V_minus - l_V_plus) times its own shift")
def boundary_terms() -> Residuals:
    # Two events that move with a parameter p, three smooth pieces of running loss.
    p, t = sp.symbols("p t", real=True)
    first, second = sp.Function("t_1")(p), sp.Function("t_2")(p)
    start, middle, end = (sp.Function(name) for name in ("l_0", "l_1", "l_2"))
    horizon = sp.Symbol("T", positive=True)
    loss = (
        sp.Integral(start(t), (t, 0, first))
        + sp.Integral(middle(t), (t, first, second))
        + sp.Integral(end(t), (t, second, horizon))
    )
    at_first = (start(first) - middle(first)) * sp.diff(first, p)
    at_second = (middle(second) - end(second)) * sp.diff(second, p)
    return {"inside the sum": sp.diff(loss, p) - at_first - at_second}
