"""When any function of a free state turns or crosses: no zero is missed.

Assumed: `x' = A x`, and a function `f = row.x`.

Shown: `exp(rate t) f` has the derivative `exp(rate t) row (A + rate) x`, so between two zeros of
this next function `f` has at most one (Rolle). The factors `A + rate` of all eigenvalues have the
product 0 (Cayley and Hamilton), so the last function but one is a single exponential, without a
zero, or a single oscillation. Of two eigenvalues the one zero is explicit, and so are all zeros of
an oscillation.
"""

import sympy as sp

from delayprop.derivations.proof import Residuals, theorem
from delayprop.derivations.symbols import h, s

N = 4  # states, the most that the specification allows


@theorem("isolation", "(exp(rate t) row.x)' = exp(rate t) row (A + rate) x, and the product of all factors is 0")
def isolation() -> Residuals:
    A, row, rate = sp.Matrix(N, N, sp.symbols(f"A:{N * N}")), sp.Matrix(1, N, sp.symbols(f"row:{N}")), sp.Symbol("rate")
    x = sp.Matrix([sp.Function(f"x{k}")(s) for k in range(N)])
    slope = sp.diff(sp.exp(rate * s) * row.dot(x), s).subs(dict(zip(sp.diff(x, s), A * x, strict=True)))
    residuals = {"the next function": slope - sp.exp(rate * s) * (row * (A + rate * sp.eye(N))).dot(x)}
    for n in range(1, N + 1):  # any matrix is similar to a triangular one, with its eigenvalues on the diagonal (Schur)
        triangular = sp.Matrix(n, n, lambda i, k: sp.Symbol(f"a{i}{k}") if k >= i else 0)
        product = sp.eye(n)
        for k in range(n):
            product = product * (triangular - triangular[k, k] * sp.eye(n))
        residuals |= {f"product of {n}, entry {k}": entry for k, entry in enumerate(product)}
    return residuals


@theorem("isolation-explicit", "the zero of two eigenvalues, and the zeros of an oscillation")
def explicit() -> Residuals:
    f, g, d, rate, omega = sp.symbols("f g d rate omega", positive=True)
    grown = -f + g * (sp.exp(d * s) - 1) / d  # exp(rate t) times the function, which starts at -f
    swings = sp.exp(-rate * s) * (f * sp.cos(omega * s) + (g + rate * f) / omega * sp.sin(omega * s))
    turned = sp.atan2(f, -(g + rate * f) / omega) / omega
    return {
        "two eigenvalues": sp.expand_log(grown.subs(s, sp.log(1 + d * f / g) / d)),
        "its slope": sp.diff(grown, s) - g * sp.exp(d * s),
        "oscillation": sp.diff(swings, s, 2) + 2 * rate * sp.diff(swings, s) + (rate**2 + omega**2) * swings,
        "its start": swings.subs(s, 0) - f,
        "its slope at the start": sp.diff(swings, s).subs(s, 0) - g,
        "its zero": sp.simplify(swings.subs(s, turned)),
        "half a turn later": sp.simplify(sp.expand_trig(swings.subs(s, h + sp.pi / omega))
                                         + sp.exp(-rate * sp.pi / omega) * swings.subs(s, h)),
    }
