"""States at the start and at the end of a trial, which goes on from another one or is gone on from.

A spike that was under way at 0 is emitted in a bin before 0. What it adds to bins before 0 had
arrived, so the sweep only empties them; back in time, the adjoint in them is 0.
"""

from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import compiled
from delayprop.fast.layout.arrays import LANES, reads_integral
from delayprop.fast.layout.neuron_record import MAX_BIN, RECENT_BIN
from delayprop.fast.layout.rows import A_II, A_VI
from delayprop.fast.physics.adjoint import DIFFERENCE, EXCESS, P_I, P_V, sensitivity_row


class Carried(NamedTuple):
    """States, or derivatives of the loss by them, `[trials, packs, states * LANES]` each: at 0, and
    at `T`; empty unless given, or asked for."""

    start: np.ndarray
    end: np.ndarray


@compiled
def set_state(trial, number, carried, state):
    """Set the state of pack `number` to that at the start of a trial."""
    for k in range(state.size):
        state[k] = carried.start[trial, number, k] if carried.start.size else 0.0


@compiled
def keep_state(trial, number, state, carried):
    """Keep the state of pack `number` at the end of a trial."""
    for k in range(state.size):
        carried.end[trial, number, k] = state[k]


@compiled
def start_adjoint(trial, number, dL_dx, b):
    """Begin the adjoint of a pack at `T` with the derivative by the state there."""
    for lane in range(LANES):
        for k in range(dL_dx.end.shape[2] // LANES):
            b.adjoint[k, lane] = dL_dx.end[trial, number, k * LANES + lane]
        if reads_integral(b.pack):
            p_V, p_I = b.adjoint[P_V, lane], b.adjoint[P_I, lane]
            b.adjoint[EXCESS, lane] += p_V
            b.adjoint[DIFFERENCE, lane] = b.pack.constants[A_VI, lane] * p_V + b.pack.constants[A_II, lane] * p_I


@compiled
def end_adjoint(trial, number, x, dL_dx, want_tau, b):
    """End the adjoint of a pack at 0, where it is the derivative by the state, which enters the
    gradients of constants as an arrival does. Before 0 it is 0."""
    others, states = b.pack.others, dL_dx.start.shape[2] // LANES
    for lane in range(LANES):
        for k in range(states):
            dL_dx.start[trial, number, k * LANES + lane] = b.adjoint[k, lane]
            if want_tau:  # [flow-theta]
                for constant in range(len(b.pack.learned)):
                    m = b.adjoint[sensitivity_row(constant, others) + k, lane]
                    b.dL_dconstants[constant, lane] += x.start[trial, number, k * LANES + lane] * m
        # the largest voltage is that of the start
        if b.pack.read_maximum and b.neuron_record[MAX_BIN, lane] < 0 and b.neuron_record[RECENT_BIN, lane] < 0:
            dL_dx.start[trial, number, lane] += b.dL_dy[lane]
    b.adjoint[:] = 0.0
