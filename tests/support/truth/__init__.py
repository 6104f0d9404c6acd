"""The ground truth: losses of small networks to any number of digits, and their differences.

There is no adjoint here. The simulation uses the spike-response form: the voltage of a neuron is
one closed sum over all arrivals and resets since t = 0, without steps from event to event. A
gradient is the central difference of two such simulations at 50 digits, one parameter at a time.
`replay` does the same for neurons given by equations, whose response is no such sum.
The arithmetic is MPFR (gmpy2); arguments and results are numbers of mpmath.
"""

from tests.support.parameters import Key
from tests.support.truth.simulation import OrderChanged, Problem, Truth, difference, gradient, simulate, truth_of

__all__ = ["Key", "OrderChanged", "Problem", "Truth", "difference", "gradient", "simulate", "truth_of"]
