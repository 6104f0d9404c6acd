"""Between events: the flow of a linear neuron, its derivatives, and what a search for spikes needs.

Assumed: `x' = A x`. In a matrix without loops no state drives itself by way of others; its diagonal
holds minus the rates of the states.

Shown: `exp(A h)` of such a matrix is a sum over paths from state to state, of convolutions
E(h; p_1, ..., p_n) of exponentials with the rates on the path. E is the same convolution for equal
and unequal rates, and continuous in them, so `tau_mem = tau_syn` is no special case. For any
matrix: the flow may be cut anywhere; sensitivities flow backwards by its transpose; its derivative
by a constant is a block of a larger flow, and adds up over a cut.

A level can be searched for a crossing with its values and slopes at both ends of a bin alone: the
cubic that has them lies below the largest of four numbers, and the level above the cubic by at most
`width^4 / 384` times its largest fourth derivative. Of the neuron of the paper the peak itself is
explicit, where `V = I`.
"""

import sympy as sp

from delayprop.derivations import linear_neuron
from delayprop.derivations.linear_neuron import E, flow
from delayprop.derivations.proof import Residuals, theorem
from delayprop.derivations.symbols import I, V, h, s, tau_mem, tau_syn

p, q, u = sp.symbols("p q u", positive=True)


def triangular(n: int, equal: bool = False) -> sp.Matrix:
    """Any matrix without loops, its states in an order in which each drives earlier ones alone."""
    rates = sp.symbols(f"p_0:{n}", positive=True)

    def entry(i: int, k: int) -> sp.Expr:
        if i == k:
            return -rates[i // 2 if equal else i]
        return sp.Symbol(f"a_{i}{k}") if k > i else sp.S.Zero

    return sp.Matrix(n, n, entry)


def convolution_law(rates: tuple[sp.Expr, ...], rate: sp.Expr) -> sp.Expr:
    """The convolution y of x with exp(-rate s): y' = x - rate y with y(0) = 0, solved uniquely."""
    x, y = E(h, *rates), E(h, *rates, rate)
    return sp.diff(y, h) - x + rate * y + y.subs(h, 0)


@theorem("flow-E", "E(h; p_1 ... p_n) is the n-fold convolution of exp(-p s), for equal and unequal rates")
def convolutions() -> Residuals:
    return {
        "E(h; p)": E(h, p) - sp.exp(-p * h),
        "two rates": convolution_law((p,), q),
        "equal rates": convolution_law((p,), p),
        "three rates": convolution_law((p, q), u),
        "one of three repeated": convolution_law((p, q), q),
        "four rates, one repeated": convolution_law((p, p, q), u),
        "equal rates are the limit": sp.limit(E(h, p, q), q, p) - E(h, p, p),
    }


@theorem("flow", "exp(A h) = sum over paths i -> k -> ... -> j of A_ik ... A_.j E(h; rates on the path)")
def paths() -> Residuals:
    residuals: dict[str, sp.Expr] = {}
    for name, A in (("four states", triangular(4)), ("equal rates", triangular(4, equal=True))):
        F = flow(A, h)
        residuals |= entries(f"{name}: F' = A F", sp.diff(F, h) - A * F)
        residuals |= entries(f"{name}: F(0) = 1", F.subs(h, 0) - sp.eye(4))
    return residuals


def entries(name: str, matrix: sp.Matrix) -> dict[str, sp.Expr]:
    return {f"{name}, entry {k}": entry for k, entry in enumerate(matrix) if entry != 0} or {name: sp.S.Zero}


@theorem("flow-cut", "F(s + h) = F(h) F(s); an arrival deposits F(h) e w, whatever the state")
def cut() -> Residuals:
    A = triangular(3)
    x, e, w = sp.Matrix(sp.symbols("x_0:3")), sp.Matrix(sp.symbols("e_0:3")), sp.Symbol("w")
    arrived = flow(A, h) * (flow(A, s) * x + w * e)
    return entries("cut at s", arrived - flow(A, s + h) * x - w * flow(A, h) * e)


@theorem("flow-adjoint", "p(s) = F(h - s)^T p(h) solves p' = -A^T p, and p.dx is constant for any dx' = A dx")
def adjoint() -> Residuals:
    A = triangular(3)
    at_end, dx = sp.Matrix(sp.symbols("p_h:3")), sp.Matrix(sp.symbols("dx_0:3"))
    before = flow(A, h - s).T * at_end
    return entries("the equation", sp.diff(before, s) + A.T * before) | {
        "the pairing": before.dot(flow(A, s) * dx) - at_end.dot(flow(A, h) * dx),
    }


@theorem("flow-theta", "dF/dtheta is the upper right block of the flow of [[A, A_theta], [0, A]]; adds up over a cut")
def by_constants() -> Residuals:
    A, residuals = linear_neuron.lif_rates(tau_mem, tau_syn, -u), dict[str, sp.Expr]()
    for theta in (tau_mem, tau_syn):
        moved = linear_neuron.flow_by(A, sp.diff(A, theta), h)
        residuals |= entries(f"by {theta}", sp.diff(flow(A, h), theta) - moved)
    # Any matrix: both solve X' = A X + A_theta F with X(0) = 0.
    theta = sp.Symbol("theta")
    A = sp.Matrix(2, 2, lambda i, k: sp.Function(f"A_{i}{k}")(theta))
    F = sp.Matrix(2, 2, lambda i, k: sp.Function(f"F_{i}{k}")(h, theta))
    X, A_theta = sp.diff(F, theta), sp.diff(A, theta)
    block = sp.Matrix(sp.BlockMatrix([[A, A_theta], [sp.zeros(2), A]])) * sp.Matrix(
        sp.BlockMatrix([[F, X], [sp.zeros(2), F]]))
    residuals |= entries("any matrix", sp.diff(A * F, theta) - block[:2, 2:])
    # p just behind a cut pays for what the first part moved: the sum over parts is the whole.
    A = triangular(2)
    A_theta, at_end = sp.Matrix(2, 2, sp.symbols("b_0:4")), sp.Matrix(sp.symbols("p_h:2"))
    A_theta[1, 0] = 0
    x = sp.Matrix(sp.symbols("x_0:2"))
    parts = at_end.dot(linear_neuron.flow_by(A, A_theta, h) * flow(A, s) * x)
    parts += (flow(A, h).T * at_end).dot(linear_neuron.flow_by(A, A_theta, s) * x)
    residuals["over a cut"] = parts - at_end.dot(linear_neuron.flow_by(A, A_theta, s + h) * x)
    return residuals


@theorem("flow-peak", "`lif`: V = I after -(tau_mem tau_syn/D) log1p(-D (I - V)/(tau_mem I)), D = tau_mem - tau_syn")
def peak() -> Residuals:
    # With x = exp(h/tau_syn - h/tau_mem) the equation V = I is linear in x.
    x, decay = sp.symbols("x decay", positive=True)
    V_h, I_h = linear_neuron.lif_after(V, I, h, tau_mem, tau_syn)
    met = (V_h - I_h).subs({sp.exp(-h / tau_mem): x * decay, sp.exp(-h / tau_syn): decay})
    (ratio,) = sp.solve(met, x)
    solved = sp.log(ratio) / (1 / tau_syn - 1 / tau_mem)
    claimed, equal = (linear_neuron.peak_time(V, I, tau, tau_syn) for tau in (tau_mem, tau_syn))
    V_equal, I_equal = linear_neuron.lif_after(V, I, h, tau_syn, tau_syn)
    return {
        "V = I solved": sp.exp((solved - claimed) * (tau_mem - tau_syn) / (tau_mem * tau_syn)) - 1,
        "limit tau_mem = tau_syn": sp.limit(claimed, tau_mem, tau_syn) - equal,
        "V = I at tau_mem = tau_syn": (V_equal - I_equal).subs(h, equal),
    }


@theorem("flow-bound", "a level is at most max(f, f + w f'/3, g - w g'/3, g) + w^4/384 max|f''''| between f and g")
def bound() -> Residuals:
    f, slope, g, slope_g, fourth = sp.symbols("f slope g slope_g fourth", real=True)
    width, share = sp.symbols("width share", positive=True)  # share: of the width, in [0, 1]
    basis = [sp.binomial(3, k) * share**k * (1 - share) ** (3 - k) for k in range(4)]
    cubic = sum(b * c for b, c in zip(basis, linear_neuron.controls(f, slope, g, slope_g, width), strict=True))
    by_time = sp.diff(cubic, share) / width
    # The difference of a quartic and its cubic; by Rolle any f has it for f'''' at some instant.
    beyond = fourth / 24 * (width * share) ** 2 * (width - width * share) ** 2
    middle = share - sp.Rational(1, 2)
    short = fourth * width**4 / 24 * middle**2 * (sp.Rational(1, 4) + share * (1 - share))
    at_ends = [(sp.diff(beyond, share, k).subs(share, end)) for k in (0, 1) for end in (0, 1)]
    return {
        "the cubic at the start": cubic.subs(share, 0) - f, "its slope": by_time.subs(share, 0) - slope,
        "the cubic at the end": cubic.subs(share, 1) - g, "its slope there": by_time.subs(share, 1) - slope_g,
        "weights of the four numbers, none below 0 for a share from 0 to 1, add up to 1": sum(basis) - 1,
        "beyond: nothing at the ends, nor by slope": sum(sp.Abs(each) for each in at_ends),
        "beyond: its fourth derivative": sp.diff(beyond, share, 4) / width**4 - fourth,
        "beyond: the bound less a term of at least 0": linear_neuron.beyond_cubic(fourth, width) - beyond - short,
    }
