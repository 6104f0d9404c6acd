"""Slips in the text of the paper that this project builds on, and gaps of its theory.

Equation numbers are those of the journal version (Nature Communications 2025, s41467-025-65394-8).
The slips do not affect its results: the other modules prove the jump of its equations 35 to 37, its
weight gradient 38 and its delay gradient 70. `python -m derivations --errata` prints the list;
`shown` names the theorem that shows the point.
"""

from dataclasses import dataclass

import sympy as sp

from delayprop.derivations import formulas
from delayprop.derivations.proof import Residuals, theorem
from delayprop.derivations.symbols import I, V, Vdot_minus, s, tau_mem, tau_syn, w
from delayprop.derivations.trajectory import forwards


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
            "it is not. Eq 67 still holds if the arrival is an event after the reset.", "spike-self"),
    Erratum("maximum readout",
            "The kick at the maximum is complete for a smooth interior maximum only. If an inhibitory arrival makes "
            "the maximum, the maximum moves with the arrival, and lambda contains no term for this, before or after.",
            "max-pinned"),
    Erratum("distinct event times",
            "All events are assumed distinct. At a tie the derivative is one-sided; on a grid with delays in whole "
            "steps ties are the rule.", "max-pinned-tie"),
    Erratum("grazing spikes",
            "The gradient has a pole where a peak only just reaches the threshold, and it does not include a spike "
            "that appears or vanishes.", "crossing-grazing"),
)


@theorem("erratum-29", "eq 29 as printed is wrong by 2 w dV_minus/(tau_syn Vdot_minus); eqs 33, 56 and 60 are right")
def sign_of_equation_29() -> Residuals:
    # An arrival delayed by t, its effect read at the fixed time 0: flow to t, arrive, flow back.
    V_t, I_t = forwards(V, I, s)
    fixed = forwards(V_t, I_t + w, -s)
    dV_sender = sp.Symbol("dV_sender")  # change of the sender's V just before its spike
    dt = formulas.dt_post_at_crossing(dV_sender, Vdot_minus)
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
