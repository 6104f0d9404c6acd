"""Where the numbers of a neuron lie in the arrays of a pack.

`I` is the first state that arrivals raise, and `V` one that they reach. Between events `x' = A x`,
with `A` in blocks, and `O` the other states:

    V' = A_VV V + A_VI I + A_VO O        I' = A_II I + A_IO O        O' = A_OV V + A_OI I + A_OO O

Where arrivals reach currents and `V` alone (`fast.layout.arrays.Others`), `A_OV` and `A_OI` are 0,
and have no rows. A neuron spikes where `V + c O` rises through `v_th`. In each array below the
rows of other states come last: the compiler knows their number (`fast.layout.arrays.Others`). A
block of `exp(A x)`, or of its derivative by a constant, has `block_size` entries: VV, VI, II, then
VO, IO and OO, row by row, and OV and OI where arrivals reach other states.
"""

import numpy as np

from delayprop.fast.compiling.compiler import inlined
from delayprop.fast.layout.arrays import LANES

# Rows of `Layer.constants`, per bin. UNIT_RATE: of the level (`fast.solving.matrices`). OF_TAU_MEM,
# OF_TAU_SYN: of `lif` and `li`, the derivatives of A_VI by tau_mem, and of A_II by tau_syn.
A_VV, A_VI, A_II, V_TH, UNIT_RATE, OF_TAU_MEM, OF_TAU_SYN, C_O = range(8)

# Columns of `Layer.flow`: the block of `exp(A)`, from 0 on, then others; each LANES wide.
FLOW_VV, FLOW_VI, FLOW_II, FLOW_A_VV, FLOW_A_VI, FLOW_A_II = (n * LANES for n in range(6))
# Rows of the bound on the level in a bin (`fast.physics.bin_step`).
FLOW_RISE_V, FLOW_RISE_I, FLOW_BEND = (n * LANES for n in range(6, 9))
# Integrals of an integral readout of `lif` and `li` (`fast.physics.polynomials`).
FLOW_RA, FLOW_RAB, FLOW_RAA, FLOW_RAAB, FLOW_RABB, FLOW_RB = (n * LANES for n in range(9, 15))
# Then PAIR columns for each other current, as the first six for `I`; then those of other states.
FLOW_O, PAIR = 15, 6

# Entries of a block.
VV, VI, II, VO = range(4)


@inlined
def block_size(others):
    """Entries of a block."""
    return 3 + len(others.states) * (2 + len(others.states)) + 2 * len(others.reached)


@inlined
def vo(k, others):
    """Entry (V, other state k) of a block."""
    return VO + k


@inlined
def io(k, others):
    """Entry (I, other state k)."""
    return VO + len(others.states) + k


@inlined
def oo(i, k, others):
    """Entry (other state i, other state k)."""
    return VO + (2 + i) * len(others.states) + k


@inlined
def ov(k, others):
    """Entry (other state k, V); where arrivals reach other states."""
    return VO + len(others.states) * (2 + len(others.states)) + k


@inlined
def oi(k, others):
    """Entry (other state k, I)."""
    return ov(k, others) + len(others.states)


@inlined
def reset_row(i, others):
    """Row of `constants` of `r`, state i: the reset is `R x + r`."""
    return C_O + len(others.states) + i


@inlined
def reset_entry(i, k, others):
    """Row of `constants` of `R`, states i and k."""
    states = 2 + len(others.states)
    return reset_row(states * (1 + i) + k, others)


# Parts of the last rows of `constants`, each with one row per state. RISE, CURVATURE: the first and
# second derivative of the level, `c A` and `c A A`. BEND, TWIST: times `|x|` at the start of a bin
# they bound its fourth derivative in the bin, over 384, and its third one. PUSH: how far a state
# raises the level in all time, while the states that the level reads stay.
RISE, CURVATURE, BEND, TWIST, PUSH = range(5)


@inlined
def level_row(part, i, others):
    """Row of `constants` of state i in one of these parts."""
    states = 2 + len(others.states)
    return reset_row(states * (1 + states + part) + i, others)


@inlined
def first_flow(current):
    """First column of `flow` of a current; 0: `I`."""
    return (FLOW_O + PAIR * (current - 1)) * LANES if current > 0 else 0


@inlined
def _flow_others(others):
    """First row of `flow` of other states."""
    return FLOW_O + PAIR * len(others.currents)


@inlined
def flow_o(part, k, others):
    """Column of `flow`, other state k: of `c` (part 0), and of a third of the level's slope (1)."""
    return (_flow_others(others) + part * len(others.states) + k) * LANES


@inlined
def flow_entry(entry, others):
    """Column of `flow` of an entry of `exp(A)` from VO on."""
    return (_flow_others(others) + 2 * len(others.states) + entry - VO) * LANES


@inlined
def flow_a(others):
    """First column of `flow` of the block of `A`."""
    return (_flow_others(others) + 2 * len(others.states) + block_size(others) - VO) * LANES


@inlined
def flow_by(constant, entry, others):
    """Column of `flow` of an entry of the derivative of `exp(A)` by a constant."""
    return flow_a(others) + (rows_of_a(others) + constant * block_size(others) + entry) * LANES


@inlined
def coefficients_a(others, learned, terms):
    """First column of the block of `A` in `coefficients`.

    It is read only where arrivals reach other states. `I` is then the only current and no integral
    is read, so the block begins where the polynomials of `I` end.
    """
    return first_coefficient(1, others, learned, terms)


@inlined
def first_coefficient(current, others, learned, terms):
    """First column of `coefficients` of a current; 0: `I`.

    The table has all polynomials once for each current. Those of another current are of a neuron in
    which it and `I` have changed names. So an arrival at it reads the entries VV, VI and II of its
    own polynomials, just as one at `I` does.
    """
    return current * block_size(others) * (1 + len(learned)) * len(terms) * LANES


# The block of `A` is followed, where arrivals reach other states, by `c` of other states, and by
# UNSTEADY: a number per state beside `V`, 0, or infinite if the level that an arrival at the state
# adds may turn within a bin.


@inlined
def c_after_a(k, others):
    """Columns from the block of `A` on to `c` of other state k."""
    return (block_size(others) + k) * LANES


@inlined
def unsteady_after_a(into, others):
    """Columns from the block of `A` on to UNSTEADY; `into`: as in `fast.layout.arrays.Layer`."""
    return (block_size(others) + len(others.states) + into) * LANES


@inlined
def rows_of_a(others):
    """Rows of the block of `A`, and of those that follow it."""
    return block_size(others) + (1 + 2 * len(others.states) if len(others.reached) > 0 else 0)


@inlined
def polynomial_by(constant, entry, others):
    """Number of the polynomial of an entry of the derivative of `exp(A x)` by a constant."""
    return np.int64((1 + constant) * block_size(others) + entry)
