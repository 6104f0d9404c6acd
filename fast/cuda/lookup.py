"""The adjoint looked up at the arrivals at one neuron; as `fast.cpu.lookup` does for a block of neurons side by side."""

from __future__ import annotations

from fast.cpu.lookup import DRIVE
from fast.physics.adjoint import ADJOINT, LAMBDA_I, LAMBDA_V, X, Z, flow_back, look_up
from fast.physics.clock import SLOT
from fast.physics.compiling import compiled
from fast.physics.polynomials import LANES, PS_AB, A, B, polynomial
from fast.physics.within_bin import MAX_BIN, MAX_GROUP, MAX_SLOPE


@compiled
def add_whole(source, lane, V, I, w, want_tau, b):
    """Add what an arrival is worth; the adjoint there is in `other`."""
    b.sums[source, lane] += I
    b.sums[source, LANES + lane] += V - I
    if want_tau:
        b.dL_dconstants[0, lane] += w * b.other[X, lane]
        b.dL_dconstants[1, lane] += w * b.other[Z, lane]
    return w * (V - I)


@compiled
def look_up_in_lane(q, source, bin_, ring_index, lane, layer, clock, want_tau, neuron_record, dL_dy, b):
    """Look the adjoint up at an arrival of a spike of rest `q`, and add what it is worth to the sums.

    Returns:
        What a later spike would gain through it.
    """
    row, slots, rate = b.packed_synapses[source], layer.slots, layer.rate
    w, x, p = row[lane], clock.one - (q + row[2 * LANES + lane]), ring_index * SLOT + int(row[LANES + lane])
    if x <= clock.zero:
        x += clock.one
        p += SLOT
    if p >= slots * SLOT:
        p -= slots * SLOT
    if p >= slots * SLOT:  # no synapse, or after the trial
        return 0.0
    ring_offset = p >> 1
    V, I = b.ring[2 * ring_offset], b.ring[2 * ring_offset + 1]
    if V == V and not want_tau and rate < 0.0:
        I = I * polynomial(b.coefficients, B, lane, x, clock.terms) + V * (
            x * polynomial(b.coefficients, PS_AB, lane, x, clock.terms)
        )
        V = V * polynomial(b.coefficients, A, lane, x, clock.terms)
        b.sums[source, lane] += I
        b.sums[source, LANES + lane] += V - I
        return w * (V - I)
    if V == V:
        for k in range(ADJOINT):
            b.other[k, lane] = b.full_adjoint_ring[k, ring_offset]
        flow_back(
            b.other, lane, float(x), b.full_adjoint_ring[DRIVE, ring_offset], b.constants, b.coefficients, clock.terms, rate, want_tau
        )
        return add_whole(source, lane, b.other[LAMBDA_V, lane], b.other[LAMBDA_I, lane], w, want_tau, b)
    # an own event in this bin: exactly, see `fast.cpu.lookup.look_up_special`
    r, target = q + row[2 * LANES + lane], bin_ + int(row[LANES + lane]) // SLOT
    if r >= clock.one:
        r, target = r - clock.one, target + 1
    if target == clock.last and r > clock.end:
        return 0.0
    event = look_up(
        b.other, lane, target, ring_offset - lane, float(r), b.events, b.drive, b.constants, b.coefficients, clock, rate,
        want_tau,
    )
    V_there = b.other[LAMBDA_V, lane]
    if event >= 0 and neuron_record[MAX_BIN, lane] == target and neuron_record[MAX_GROUP, lane] > 0.0 and w != 0.0:
        V_there += dL_dy[lane] * max(0.0, neuron_record[MAX_SLOPE, lane] - b.constants[0, lane] * w) / w
    return add_whole(source, lane, V_there, b.other[LAMBDA_I, lane], w, want_tau, b)


@compiled
def look_up_arrivals_in_lane(n_first, n, number, bin_, ring_index, lane, layer, clock, want_tau, given, neuron_record, dL_dy, b, sums):
    """All arrivals of the spikes from outside that are emitted in a bin, the last of them `n - 1`; the first."""
    while n > n_first and given.bin[n - 1] == bin_:
        n -= 1
        dL_dt_pre = look_up_in_lane(
            given.rest[n], given.source[n], bin_, ring_index, lane, layer, clock, want_tau, neuron_record, dL_dy, b
        )
        if sums.dL_dt_pre.shape[1] > 1:
            sums.dL_dt_pre[n - sums.first_dL_dt_pre, number] = dL_dt_pre
    return n


@compiled
def last_in_time(first, last, bins, clock):
    """Where the spikes of a trial end that come before its end."""
    while last > first and bins[last - 1] > clock.last:
        last -= 1
    return last
