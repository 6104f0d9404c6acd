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
        b.of_constants[0, lane] += w * b.other[X, lane]
        b.of_constants[1, lane] += w * b.other[Z, lane]
    return w * (V - I)


@compiled
def look_up_in_lane(q, source, bin_, turn, lane, layer, at, want_tau, kept, dL_dy, b):
    """Look the adjoint up at an arrival of a spike of rest `q`, and add what it is worth to the sums.

    Returns:
        What a later spike would gain through it.
    """
    row, slots, rate = b.rows[source], layer.slots, layer.rate
    w, x, p = row[lane], at.one - (q + row[2 * LANES + lane]), turn * SLOT + int(row[LANES + lane])
    if x <= at.zero:
        x += at.one
        p += SLOT
    if p >= slots * SLOT:
        p -= slots * SLOT
    if p >= slots * SLOT:  # no synapse, or after the trial
        return 0.0
    place = p >> 1
    V, I = b.ring[2 * place], b.ring[2 * place + 1]
    if V == V and not want_tau and rate < 0.0:  # nan-ok: a NaN marks a special lane
        I = I * polynomial(b.coefficients, B, lane, x, at.terms) + V * (
            x * polynomial(b.coefficients, PS_AB, lane, x, at.terms)
        )
        V = V * polynomial(b.coefficients, A, lane, x, at.terms)
        b.sums[source, lane] += I
        b.sums[source, LANES + lane] += V - I
        return w * (V - I)
    if V == V:  # nan-ok: a NaN marks a special lane
        for k in range(ADJOINT):
            b.other[k, lane] = b.whole_ring[k, place]
        flow_back(
            b.other, lane, float(x), b.whole_ring[DRIVE, place], b.constants, b.coefficients, at.terms, rate, want_tau
        )
        return add_whole(source, lane, b.other[LAMBDA_V, lane], b.other[LAMBDA_I, lane], w, want_tau, b)
    # an own event in this bin: exactly, see `fast.cpu.lookup.look_up_special`
    r, target = q + row[2 * LANES + lane], bin_ + int(row[LANES + lane]) // SLOT
    if r >= at.one:
        r, target = r - at.one, target + 1
    if target == at.last and r > at.end:
        return 0.0
    event = look_up(
        b.other, lane, target, place - lane, float(r), b.events, b.drive, b.constants, b.coefficients, at, rate,
        want_tau,
    )
    V_there = b.other[LAMBDA_V, lane]
    if event >= 0 and kept[MAX_BIN, lane] == target and kept[MAX_GROUP, lane] > 0.0 and w != 0.0:
        V_there += dL_dy[lane] * max(0.0, kept[MAX_SLOPE, lane] - b.constants[0, lane] * w) / w
    return add_whole(source, lane, V_there, b.other[LAMBDA_I, lane], w, want_tau, b)


@compiled
def look_up_arrivals_in_lane(n_first, n, number, bin_, turn, lane, layer, at, want_tau, given, kept, dL_dy, b, sums):
    """All arrivals of the spikes from outside that are emitted in a bin, the last of them `n - 1`; the first."""
    while n > n_first and given.bin[n - 1] == bin_:
        n -= 1
        worth = look_up_in_lane(
            given.rest[n], given.source[n], bin_, turn, lane, layer, at, want_tau, kept, dL_dy, b
        )
        if sums.worth.shape[1] > 1:
            sums.worth[n - sums.first_worth, number] = worth
    return n


@compiled
def last_in_time(first, last, bins, at):
    """Where the spikes of a trial end that come before its end."""
    while last > first and bins[last - 1] > at.last:
        last -= 1
    return last
