"""Between two events: the exponential of the matrix of a neuron.

If no state drives itself by way of others, `exp(A h)` is a sum over the paths from a state to
another along the entries of `A` beside the diagonal:

    exp(A h)[i, j] = sum over i -> k -> ... -> j of A[i, k] ... A[., j] E(h; rates on the path)

where the rates are minus the diagonal of `A`, and `E` is the convolution of `exp(-rate s)` over
[0, h]. Each term is as accurate as `E`, however close the rates are (`tau_mem = tau_syn` is no
special case). Other matrices are scaled, summed as a series, and squared back, at the cost of about
`u h` times their largest rate; the specification bounds the ratio of their rates.

The derivative of `exp(A h)` by a constant is the upper right block of the exponential of
`[[A, A_theta], [0, A]]`, and is found in the same way.
"""

from collections.abc import Iterator

import numpy as np

from delayprop.reference.arithmetic import Arithmetic, Matrix, Real
from delayprop.spec.neuron import has_loop

Path = tuple[int, Real, tuple[Real, ...]]  # last state, product of entries, rates
Term = tuple[int, int, Real, int]  # row, column, product of entries, number of the rates


class Exponential:
    """[flow, flow-theta] `exp(A h)`, or with `A_theta` its derivative by theta."""

    def __init__(self, m: Arithmetic, A: Matrix, A_theta: Matrix | None = None) -> None:
        self.m, self.n, zero = m, len(A), m.real(0.0)
        self.A, self.first = A, 0
        if A_theta is not None:
            upper = [[*row, *slope] for row, slope in zip(A, A_theta, strict=True)]
            self.A, self.first = upper + [[*[zero] * self.n, *row] for row in A], self.n
        self.rates: list[tuple[Real, ...]] = []  # the distinct ones
        self.terms: list[Term] | None = None if has_loop(A) else list(self._terms())

    def _terms(self) -> Iterator[Term]:
        number: dict[tuple[Real, ...], int] = {}
        for i in range(self.n):
            for j, product, rates in _paths(self.A, i):
                if j >= self.first:
                    yield i, j - self.first, product, number.setdefault(rates, len(number))
        self.rates = list(number)

    def __call__(self, h: Real) -> Matrix:
        """The `n` rows at a time `h`."""
        if self.terms is None:
            return [row[self.first :] for row in squared(self.m, self.A, h)[: self.n]]
        known = [exp_convolution(self.m, h, *rates) for rates in self.rates]
        found = [[self.m.real(0.0)] * self.n for _ in range(self.n)]
        for i, j, product, number in self.terms:
            found[i][j] += product * known[number]
        return found


def _paths(A: Matrix, i: int) -> Iterator[Path]:
    """All paths from state `i`; each has its rates in order of size."""
    one = A[i][i] - A[i][i] + 1
    yield i, one, (-A[i][i],)
    for k, entry in enumerate(A[i]):
        if k != i and entry != 0:
            for j, product, rates in _paths(A, k):
                yield j, entry * product, tuple(sorted((-A[i][i], *rates)))


def squared(m: Arithmetic, A: Matrix, h: Real) -> Matrix:
    """`exp(A h)`: the power series of a short time, squared to the whole one."""
    scaled, halvings = np.array(A, m.dtype) * h, 0
    size = np.abs(scaled).sum(axis=1).max()
    while size > 0.5:
        size, halvings = size / 2, halvings + 1
    scaled = scaled / 2**halvings
    found: np.ndarray = np.array([[m.real(float(i == k)) for k in range(len(A))] for i in range(len(A))], m.dtype)
    term = found
    order = 0
    while order == 0 or np.abs(term).max() > m.u / 4:
        order += 1
        term = term @ scaled / order
        found = found + term
    for _ in range(halvings):
        found = found @ found
    return found.tolist()


def exp_convolution(m: Arithmetic, h: Real, *rates: Real) -> Real:
    """[flow-E] `exp(-p1 s) * ... * exp(-pn s)` at `h`.

    This is the divided difference of `exp` at the nodes `-p h`, times `h^(n-1)`. Far rates: the
    difference quotient, which loses about a digit at the bound 2. Near rates: the power series
    about the largest rate, whose terms are all positive, so nothing cancels.
    """
    low, high = min(rates), max(rates)
    if len(rates) == 1:
        return m.exp(-low * h)
    if (high - low) * h > 2:
        inner = sorted(rates)
        return (exp_convolution(m, h, *inner[:-1]) - exp_convolution(m, h, *inner[1:])) / (high - low)
    nodes = [(high - rate) * h for rate in rates]
    factor = m.exp(-high * h)
    for order in range(1, len(rates)):
        factor = factor * h / order
    # factor times a sum over degrees: (n-1)!/(n-1+degree)! times the complete homogeneous
    # polynomial in all nodes; homogeneous[i] is this polynomial in nodes[0..i]
    homogeneous = [m.real(1.0)] * len(nodes)
    total, coefficient, order = m.real(1.0), m.real(1.0), len(rates) - 1
    while True:
        order += 1
        coefficient = coefficient / order
        below = m.real(0.0)
        for i, node in enumerate(nodes):
            below = homogeneous[i] = below + node * homogeneous[i]
        larger = total + below * coefficient
        if larger == total:
            return total * factor
        total = larger
