"""The currents of a neuron: `I`, and other states that arrivals raise and that drive `V` alone.

An arrival at one of them meets a neuron of two states, `V` and this current. So it takes the same
steps as an arrival at `I`, with numbers of its own: `coefficients`, `exact` and `flow` hold those
once per current (`fast.layout.rows`), and deposits and adjoints have a ring per current.
"""

from delayprop.fast.compiling.compiler import inlined
from delayprop.fast.layout.rows import first_coefficient, first_flow


@inlined
def currents(others):
    """The number of currents. 1, only `I`, where `reached` is not empty."""
    return 1 + len(others.currents)


@inlined
def state_of(source, pack):
    """The state that arrivals of a source raise, as `into` of `fast.layout.arrays.Layer`."""
    # A mask, since the compiler then knows that no index made of it is negative.
    return pack.into[source] & 3


@inlined
def current_of(source, pack):
    """The current that arrivals of a source raise: 0 for `I`, else 1 + the number of the other
    state."""
    return state_of(source, pack) if len(pack.others.currents) > 0 else 0


@inlined
def lane_of_coefficients(current, lane, pack, terms):
    """The lane, moved to the numbers of a current in `coefficients`, or in `exact`.

    Functions that take a lane read the numbers of `I`; given this, they read those of the current.
    `terms`: of the polynomials in this table.
    """
    return lane + first_coefficient(current, pack.others, pack.learned, terms)


@inlined
def lane_of_flow(current, lane):
    """The lane, moved to the six numbers of a current in `flow`; see `lane_of_coefficients`."""
    return lane + first_flow(current)
