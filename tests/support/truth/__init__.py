"""The ground truth: losses of small networks to as many digits as are asked for, and their
differences.

There is no adjoint here. A network is simulated in the spike-response form: the voltage of a neuron
is one closed sum over all arrivals and resets since t = 0, and never steps from event to event. A
gradient is the central difference of two such simulations at 50 digits, one parameter at a time.
Arithmetic is MPFR's (gmpy2); what comes in and goes out are numbers of mpmath.
"""

from tests.support.truth.differences import OrderChanged, difference, directional, gradient
from tests.support.truth.problem import Key, Problem
from tests.support.truth.run import Signature
from tests.support.truth.simulation import Truth, simulate

__all__ = [
    "Key",
    "OrderChanged",
    "Problem",
    "Signature",
    "Truth",
    "difference",
    "directional",
    "gradient",
    "simulate",
]
