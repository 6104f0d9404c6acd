"""Bins with own events of a neuron (spikes, its maximum), and the arrivals among these events."""

from __future__ import annotations

import math

from fast.physics.adjoint import (
    ADJOINT,
    LAMBDA_I,
    LAMBDA_V,
    TAU_MEM,
    TAU_SYN,
    X,
    Z,
    drive_at,
    end_of,
    flow_back,
    jump_at_spike,
)
from fast.physics.clock import SLOT
from fast.physics.compiling import compiled, inlined
from fast.physics.neuron_record import MAX_BIN, MAX_GROUP, MAX_REST, MAX_SLOPE
from fast.physics.polynomials import LANES


@inlined
def mark(lane, bin_, slot, clock, b):
    """Mark a lane with an own event in this bin.

    It is solved from the end of the bin, and its arrivals are looked up exactly.
    """
    if not b.marked[lane]:
        b.marked[lane], b.position[lane] = 1, end_of(bin_, clock)
        b.ring[2 * (slot + lane)] = math.nan
        for k in range(ADJOINT):
            b.solved[k, lane] = b.adjoint[k, lane]


@inlined
def back_to(x, lane, bin_, clock, want_tau, b):
    """Take the solved adjoint of a lane back from its `position` in the bin to `x`."""
    h, g = b.position[lane] - x, drive_at(b.drive, lane, bin_, b.position[lane], b.block.rate)
    flow_back(b.solved, lane, h, g, b.block, clock.terms, want_tau)
    b.position[lane] = x


@inlined
def note_event(event, lane, slot, rest, adjoint, b):
    """Store the adjoint just before an own event, for the arrivals before it."""
    events = b.events
    events.later[event], events.rest[event] = events.first[slot + lane], rest
    events.first[slot + lane] = event
    for k in range(ADJOINT):
        events.before[event, k], events.end[event, k] = adjoint[k, lane], b.adjoint[k, lane]


@inlined
def take_maximum(event, lane, bin_, slot, clock, want_tau, b):
    """[max-interior] Let the largest voltage of a lane, reached in this bin, kick its adjoint."""
    x, kick = b.neuron_record[MAX_REST, lane], -b.dL_dy[lane] * b.block.constants[0, lane]
    mark(lane, bin_, slot, clock, b)
    if bin_ == clock.last and x == clock.end and b.neuron_record[MAX_GROUP, lane] == 0.0:  # at T, after arrivals
        b.solved[LAMBDA_V, lane] += kick
        b.events.at_T[LAMBDA_V, lane] = b.solved[LAMBDA_V, lane]
    else:
        back_to(x, lane, bin_, clock, want_tau, b)
        b.solved[LAMBDA_V, lane] += kick
        note_event(event, lane, slot, x, b.solved, b)


@inlined
def take_spike(event, lane, bin_, slot, x, I_cross, dL_dt, clock, want_tau, b):
    """[spike-jump] Let an own spike at `x` in this bin jump the adjoint of its lane.

    `dL_dt`: total derivative of the loss with respect to this spike time, arrivals included.
    """
    mark(lane, bin_, slot, clock, b)
    back_to(x, lane, bin_, clock, want_tau, b)
    jump_at_spike(b.solved, lane, I_cross, dL_dt, drive_at(b.drive, lane, bin_, x, b.block.rate), b, want_tau)
    note_event(event, lane, slot, x, b.solved, b)


@inlined
def adjoint_among_events(lane, bin_, slot, rest, clock, want_tau, b):
    """Put the adjoint just after an instant in a bin with own events into `other`.

    Returns the event at this instant, which precedes the arrival; -1: none. The look-up starts from
    the next event, or from the end of the bin.
    """
    events, other = b.events, b.other
    e, here, x = events.first[slot + lane], -1, end_of(bin_, clock)
    last, size = -1, ADJOINT if want_tau else 2
    while e >= 0 and rest >= events.rest[e]:
        if rest == events.rest[e]:
            here = e
        last, e = e, events.later[e]
    if e >= 0:
        x = events.rest[e]
        for k in range(size):
            other[k, lane] = events.before[e, k]
    elif last >= 0:
        for k in range(size):
            other[k, lane] = events.end[last, k]
    else:  # marked because the bin ends at T; in any other bin the adjoint itself is NaN
        for k in range(size):
            other[k, lane] = events.at_T[k, lane] if bin_ == clock.last else math.nan
    flow_back(other, lane, x - rest, drive_at(b.drive, lane, bin_, x, b.block.rate), b.block, clock.terms, want_tau)
    return here


@inlined
def add_arrival(source, lane, V, I, w, want_tau, b):
    """[arrival-w] [arrival-d] Add the adjoint `V, I` at an arrival to the sums.

    Returns [arrival-time], the derivative by the time of the arrival, per unit of weight.
    """
    b.sums[source, lane] += I
    b.sums[source, LANES + lane] += V - I
    if want_tau:
        b.dL_dconstants[TAU_MEM, lane] += w * b.other[X, lane]
        b.dL_dconstants[TAU_SYN, lane] += w * b.other[Z, lane]
    return V - I


@compiled
def add_arrival_among_events(q, source, lane, bin_, slot, clock, want_tau, b):
    """Look the adjoint up exactly at an arrival, and add it.

    `q`: rest of its spike, emitted in bin `bin_`; `slot`: the arrival's bin in the ring. Returns as
    `add_arrival`; 0 for an arrival after `T`. An arrival that pins the maximum that is read gains
    the term beyond the kink as well.
    """
    row, record = b.block.packed_synapses[source], b.neuron_record
    rest, target, w = q + row[2 * LANES + lane], bin_ + int(row[LANES + lane]) // SLOT, row[lane]
    if rest >= clock.one:
        rest, target = rest - clock.one, target + 1
    if target == clock.last and rest > clock.end:
        return 0.0
    event = adjoint_among_events(lane, target, slot, float(rest), clock, want_tau, b)
    V, I = b.other[LAMBDA_V, lane], b.other[LAMBDA_I, lane]
    if event >= 0 and record[MAX_BIN, lane] == target and record[MAX_GROUP, lane] > 0.0 and w != 0.0:
        # [max-pinned], per unit of weight
        V += b.dL_dy[lane] * max(0.0, record[MAX_SLOPE, lane] - b.block.constants[0, lane] * w) / w
    return add_arrival(source, lane, V, I, w, want_tau, b)
