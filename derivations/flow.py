"""Between events: the closed form of V and I, and the peak of the membrane.

Assumed: `tau_mem V' = -V + I` and `tau_syn I' = -I` with (V, I) at time 0, both constants positive.

Shown: every solution is a sum of convolutions E(h; p_1, ..., p_n) of exponentials with the rates
1/tau_mem and 1/tau_syn. E is the same convolution for equal and unequal rates, and a convolution is
continuous in its rates, so tau_mem = tau_syn is no special case.

The search for spikes rests on the following. While I > 0, exp(h/tau_mem) Vdot falls, so V first
rises and then falls (one of the two may be missing). V is concave wherever it rises, and its only
peak, where V = I, has a closed form. A threshold above 0 can only be reached with I > 0. Hence no
spike is lost if the peak is compared with the threshold, and a Newton iteration that starts left of
the crossing never passes it. For I <= 0 none of this holds, and none is needed.
"""

import sympy as sp

from delayprop.derivations import formulas
from delayprop.derivations.proof import Residuals, integral, theorem, under_integrals
from delayprop.derivations.symbols import I, V, h, s, tau_mem, tau_syn, w
from delayprop.derivations.trajectory import forwards

p, q, u = sp.symbols("p q u", positive=True)


def convolution_law(rates: tuple[sp.Expr, ...], rate: sp.Expr) -> sp.Expr:
    """The convolution y of x with exp(-rate s): y' = x - rate y with y(0) = 0, solved uniquely."""
    x, y = formulas.E(h, *rates), formulas.E(h, *rates, rate)
    return sp.diff(y, h) - x + rate * y + y.subs(h, 0)


@theorem("flow-E", "E(h; p_1 ... p_n) is the n-fold convolution of exp(-p s); d/dp repeats the rate")
def convolutions() -> Residuals:
    E = formulas.E
    return {
        "E(h; p)": E(h, p) - sp.exp(-p * h),
        "two rates": convolution_law((p,), q),
        "equal rates": convolution_law((p,), p),
        "three rates": convolution_law((p, q), u),
        "one of three repeated": convolution_law((p, q), q),
        "four rates, one repeated": convolution_law((p, p, q), u),
        "equal rates are the limit": sp.limit(E(h, p, q), q, p) - E(h, p, p),
        "derivative by one of two rates": sp.diff(E(h, p, q), q) + E(h, p, q, q),
        "derivative by one of three rates": sp.diff(E(h, p, q, u), u) + E(h, p, q, u, u),
        "common shift of the rates": E(h, p + u, q + u) - sp.exp(-u * h) * E(h, p, q),
    }


@theorem("flow-V-I", "V(h) = V E(h; 1/tau_mem) + I/tau_mem E(h; 1/tau_mem, 1/tau_syn), I(h) = I E(h; 1/tau_syn)")
def flow() -> Residuals:
    V_h, I_h = forwards(V, I, h)
    V_equal = formulas.V_flow(V, I, h, tau_syn, tau_syn)
    return {
        "tau_mem dV/dt = -V + I": tau_mem * sp.diff(V_h, h) + V_h - I_h,
        "tau_syn dI/dt = -I": tau_syn * sp.diff(I_h, h) + I_h,
        "V at the beginning": V_h.subs(h, 0) - V,
        "I at the beginning": I_h.subs(h, 0) - I,
        "slope": sp.diff(V_h, h) - formulas.Vdot(V_h, I_h, tau_mem),
        "limit tau_mem = tau_syn": sp.limit(V_h, tau_mem, tau_syn) - V_equal,
        "tau_mem = tau_syn solves the equation": tau_syn * sp.diff(V_equal, h) + V_equal - I_h,
    }


@theorem("flow-restart", "the flow may be cut anywhere, and arrivals add up in any order")
def restart() -> Residuals:
    V_s, I_s = forwards(V, I, s)
    V_cut, I_cut = forwards(V_s, I_s, h)
    V_whole, I_whole = forwards(V, I, s + h)

    # An arrival of weight w at s, seen at s + h: its deposit does not depend on the state.
    with_arrival, deposit = forwards(V_s, I_s + w, h)[0], forwards(sp.S.Zero, w, h)[0]
    return {
        "V, cut at s": V_cut - V_whole,
        "I, cut at s": I_cut - I_whole,
        "V is a sum over arrivals": with_arrival - V_whole - deposit,
    }


@theorem("flow-peak", "with D = tau_mem - tau_syn, V = I after -(tau_mem tau_syn/D) log1p(-D (I - V)/(tau_mem I))")
def peak() -> Residuals:
    # With x = exp(h/tau_syn - h/tau_mem) the equation V = I is linear in x.
    x, decay = sp.symbols("x decay", positive=True)
    met = formulas.V_flow(V, I, h, tau_mem, tau_syn) - formulas.I_flow(I, h, tau_syn)
    (ratio,) = sp.solve(met.subs({sp.exp(-h / tau_mem): x * decay, sp.exp(-h / tau_syn): decay}), x)
    solved = sp.log(ratio) / (1 / tau_syn - 1 / tau_mem)
    claimed = formulas.peak_time(V, I, tau_mem, tau_syn)
    return {
        "V = I solved": sp.exp((solved - claimed) * (tau_mem - tau_syn) / (tau_mem * tau_syn)) - 1,
        "limit tau_mem = tau_syn": sp.limit(claimed, tau_mem, tau_syn) - formulas.peak_time(V, I, tau_syn, tau_syn),
        "V = I at tau_mem = tau_syn": (
            formulas.V_flow(V, I, h, tau_syn, tau_syn) - formulas.I_flow(I, h, tau_syn)
        ).subs(h, formulas.peak_time(V, I, tau_syn, tau_syn)),
    }


@theorem("flow-rise", "while I > 0: V rises, then falls; concave where it rises; Newton from the left stays left")
def rise() -> Residuals:
    positive_I, rising, time = sp.symbols("I Vdot t", positive=True)
    V_h, I_h = forwards(V, I, h)
    Vdot, Vddot = sp.diff(V_h, h), sp.diff(V_h, h, 2)

    # The tangent at 0 is above V by the integral of -(h - s) Vddot(s): Newton cannot overshoot.
    tangent = V + h * formulas.Vdot(V, I, tau_mem)
    gap = integral((h - s) * Vddot.subs(h, s), s, 0, h)
    return {
        "exp(h/tau_mem) Vdot falls at a rate with the sign of I": (
            sp.diff(sp.exp(h / tau_mem) * Vdot, h) + sp.exp(h / tau_mem) * I_h / (tau_mem * tau_syn)
        ),
        "Vddot from the slope and the current": Vddot + Vdot / tau_mem + I_h / (tau_mem * tau_syn),
        "Vddot < 0 where V rises and I > 0": sp.sign(-rising / tau_mem - positive_I / (tau_mem * tau_syn)) + 1,
        "V = tangent + integral of (h - s) Vddot": V_h - tangent - gap,
        "I keeps its sign": sp.sign(formulas.I_flow(positive_I, time, tau_syn)) - 1,
    }


@theorem("flow-bound", "V <= V + (1 - exp(-h/tau_mem)) (I_max - V) while I <= I_max: most bins cannot spike")
def bound() -> Residuals:
    # Any current below I_max, arrivals included, is I_max minus a gap that is nowhere negative.
    gap = sp.Function("gap", nonnegative=True)(s)
    I_max = sp.Symbol("I_max", real=True)
    kernel = sp.exp(-(h - s) / tau_mem) / tau_mem
    short_of_bound = sp.Integral(kernel * gap, (s, 0, h))
    V_h = formulas.V_bound(V, I_max, h, tau_mem) - short_of_bound
    inside, outside = under_integrals(sp.diff(V_h, h) - formulas.Vdot(V_h, I_max - gap.subs(s, h), tau_mem))
    headroom = sp.Symbol("headroom", positive=True)
    return {
        "bound minus an integral solves the dynamics, inside": inside,
        "bound minus an integral solves the dynamics, outside": outside,
        "V at the beginning": formulas.V_bound(V, I_max, sp.S.Zero, tau_mem) - V,
        "the integrand is nowhere negative": sp.Min(0, kernel * gap),
        "the bound rises while I_max > V": sp.sign(sp.diff(formulas.V_bound(V, V + headroom, h, tau_mem), h)) - 1,
    }
