"""The jump of the adjoint at a spike of the neuron.

Assumed: the neuron crosses v_th with current I and slope Vdot_minus > 0, is set to v_reset, and
keeps I. The rest of the trial is a cost-to-go J(V, I, t) with sensitivities mu_V = dJ/dV and
mu_I = dJ/dI just after the spike; it may contain any number of later events, and a running loss.
The time of the spike enters directly through a spike loss l_p, and through every arrival that the
spike causes elsewhere (or here, after a delay).

Shown: the state before the spike acts only through the time of the spike. lambda_V jumps by the
ratio of the two slopes and by the derivative dL_dt_post by this time; lambda_I does not jump. The
threshold has the sensitivity -mu_V just before the spike, the reset mu_V just after. The two slopes
differ by the reset; one slope for both sides is wrong by the size of the reset.

The paper writes the ratio of the slopes as 1 + v_th/(tau_mem Vdot_minus) (its equation 66). This
assumes that the neuron's current does not jump at its own spike. With a self-connection of delay 0
it does, and the printed ratio is not the ratio of the slopes. The printed jump still holds, because
the arrival's own term supplies the difference (`self_arrival`).
"""

import sympy as sp

from delayprop.derivations import formulas
from delayprop.derivations.proof import Nonzero, Residuals, theorem
from delayprop.derivations.symbols import (
    I,
    dL_dt_arr_down,
    dl_p_dt_post,
    l_V_minus,
    l_V_plus,
    lambda_I,
    lambda_V_plus,
    s,
    tau_mem,
    tau_syn,
    v_reset,
    v_th,
    w,
)
from delayprop.derivations.trajectory import forwards

# First-order changes of the state just before the spike, of the threshold and of the reset.
dV, dI, dv_th, dv_reset = MOVES = sp.symbols("dV dI dv_th dv_reset", real=True)
NOWHERE = dict.fromkeys(MOVES, 0)

mu_V, mu_I = -tau_mem * lambda_V_plus, -tau_syn * lambda_I
slope_minus = formulas.Vdot(v_th, I, tau_mem)
slope_plus = formulas.Vdot(v_reset, I, tau_mem)


def loss_by_moves(kick: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
    """Derivative of the loss by each move; the current jumps by `kick` at the spike."""
    # Along a free trajectory J falls by the running loss, which fixes dJ/dt just after the spike.
    dJ_dt = sp.Symbol("dJ_dt")
    V_s, I_s = forwards(v_reset, I + kick, s)
    along = mu_V * (V_s - v_reset) + mu_I * (I_s - I - kick) + dJ_dt * s + l_V_plus * s
    (rate,) = sp.solve(sp.diff(along, s).subs(s, 0), dJ_dt)

    # The moved trajectory crosses the moved threshold at a time t that is 0 without moves.
    t = sp.Function("t")(*MOVES)
    V_t, I_t = forwards(v_th + dV, I + dI, t)
    crossing = V_t - (v_th + dv_th)
    to_go = mu_V * dv_reset + mu_I * (I_t - I) + rate * t
    loss = (l_V_minus + dl_p_dt_post + dL_dt_arr_down) * t + to_go

    def here(expression: sp.Expr, slopes: dict[sp.Expr, sp.Expr]) -> sp.Expr:
        return expression.subs(slopes).subs(t, 0).subs(NOWHERE)

    derivatives = {}
    for move in MOVES:
        dt = sp.Symbol("dt")
        (moved,) = sp.solve(here(sp.diff(crossing, move), {sp.diff(t, move): dt}), dt)
        derivatives[move] = here(sp.diff(loss, move), {sp.diff(t, move): moved})
    return derivatives


def claimed_lambda_V_minus() -> sp.Expr:
    dL_dt_post = formulas.dL_dt_post_at_crossing(dl_p_dt_post, l_V_minus, l_V_plus, dL_dt_arr_down)
    return formulas.lambda_V_at_crossing(lambda_V_plus, dL_dt_post, tau_mem, slope_minus, slope_plus)


@theorem("spike-jump", "lambda_V_minus = Vdot_plus/Vdot_minus lambda_V_plus + dL_dt_post/(tau_mem Vdot_minus)")
def spike_jump() -> Residuals:
    derived = -loss_by_moves(kick=sp.S.Zero)[dV] / tau_mem
    dL_dt_post = formulas.dL_dt_post_at_crossing(dl_p_dt_post, l_V_minus, l_V_plus, dL_dt_arr_down)
    same_slope = formulas.lambda_V_at_crossing(lambda_V_plus, dL_dt_post, tau_mem, slope_minus, slope_minus)
    reset, jump = sp.symbols("reset jump", positive=True)
    wrong = (derived - same_slope).subs({v_th: v_reset + reset, I: v_reset + reset + jump, lambda_V_plus: 1})
    return {
        "lambda_V_minus": derived - claimed_lambda_V_minus(),
        "as the paper writes it": claimed_lambda_V_minus()
        - lambda_V_plus
        - ((v_th - v_reset) * lambda_V_plus + dL_dt_post) / (I - v_th),
        "one slope for both sides": Nonzero(wrong),
    }


@theorem("spike-current", "lambda_I_minus = lambda_I_plus at a spike")
def current_is_continuous() -> Residuals:
    return {"lambda_I": -loss_by_moves(kick=sp.S.Zero)[dI] / tau_syn - lambda_I}


@theorem("spike-v_th", "dL/dv_th = tau_mem lambda_V_minus, summed over spikes")
def threshold() -> Residuals:
    derived = loss_by_moves(kick=sp.S.Zero)[dv_th]
    return {"dL/dv_th": derived - formulas.dL_dv_th_at_crossing(tau_mem, claimed_lambda_V_minus())}


@theorem("spike-v_reset", "dL/dv_reset = -tau_mem lambda_V_plus, summed over spikes")
def reset() -> Residuals:
    derived = loss_by_moves(kick=sp.S.Zero)[dv_reset]
    return {"dL/dv_reset": derived - formulas.dL_dv_reset_at_crossing(tau_mem, lambda_V_plus)}


@theorem("spike-self", "self-connection with d = 0, its arrival after the reset: the jump holds, eq 66 does not")
def self_arrival() -> Residuals:
    # Derived: the current jumps at the spike. Claimed: the reset, then the arrival as an event.
    derived = -loss_by_moves(kick=w)[dV] / tau_mem
    arrival = formulas.dL_dt_arr(w, lambda_V_plus, lambda_I)
    claimed = claimed_lambda_V_minus().subs(dL_dt_arr_down, dL_dt_arr_down + arrival)
    ratio_after = formulas.Vdot(v_reset, I + w, tau_mem) / slope_minus
    printed = 1 + (v_th - v_reset) / (tau_mem * slope_minus)
    return {
        "lambda_V_minus": derived - claimed,
        "equation 66 misses the jump of the current": ratio_after - printed - w / (tau_mem * slope_minus),
    }
