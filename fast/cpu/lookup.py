"""The adjoint looked up at every arrival, for the gradients of weights, delays and spike times.

A ring holds the adjoint at the end of each bin ahead (which the sweep, backwards in time, has
passed). At an arrival it is multiplied by the factors of the spike (`fast.physics.factors`), as in
its deposit; where an integral is read, it flows back to the arrival itself. Where a neuron has an
own event in the bin, the ring holds NaN: those few arrivals are looked up among the events
(`fast.physics.own_events`).
"""

from delayprop.fast.compiling.compiler import inlined, summing, vectorised
from delayprop.fast.cpu.arrivals import SIDE_BY_SIDE, factors_at, place_of, pointers_of, set_factors, spike_pointers
from delayprop.fast.cpu.intrinsics import moved, pointer
from delayprop.fast.cpu.lookup_scratch import OF_I, OF_V, PIECE, TERMS, LookupScratch, end_piece
from delayprop.fast.cpu.rows import gather_row
from delayprop.fast.layout.arrays import FLOW_PM, FLOW_PS, LANES
from delayprop.fast.layout.instants import arrival_of, carries, left_in_bin, sum_of
from delayprop.fast.physics.adjoint import (
    ADJOINT,
    DIFFERENCE,
    DRIVE,
    EXCESS,
    LAMBDA_I,
    LAMBDA_V,
    TAU_MEM,
    TAU_SYN,
    X,
    Y,
    Z,
    driven_at_arrival,
    tau_back,
)
from delayprop.fast.physics.factors import (
    adjoint_terms,
    both_factors,
    dL_dt_arrival,
    one_of,
)
from delayprop.fast.physics.polynomials import EXACT


@inlined
def add_to_sums(lane, time, both, row, pack, terms, keep, sums):
    """Add the terms of an arrival, whose adjoint is in `terms`, to the sums of its source; `both`:
    its factors; `row`: where the synapses of the source begin; `keep`: whether the terms take the
    place of the adjoint."""
    a, b, ab = one_of(carries(sum_of(pack.delay[row + lane], time), time, pack.ticks), both)
    V, I = terms[OF_V + lane], terms[OF_I + lane]
    is_nan = V != V  # nan-ok: NaN marks a bin with own events
    of_V, of_I = adjoint_terms(V, I, a, b, ab)
    of_V, of_I = pack.clock.zero if is_nan else of_V, pack.clock.zero if is_nan else of_I
    if keep:
        terms[OF_V + lane], terms[OF_I + lane] = of_V, of_I
    sums[OF_V + lane] += of_V  # [arrival-w], [arrival-d]
    sums[OF_I + lane] += of_I


@inlined
def add_group(start, stop, first, spikes, pack, scratch, keep):
    """`add_to_sums` for spikes `start..stop-1` of a group that began with `first`."""
    for n in range(start, stop):
        time, source = spikes.time[n], spikes.source[n]
        row, add = source * LANES, moved(scratch.piece, source * (TERMS * LANES))
        terms = moved(scratch.terms, (n - first) * (TERMS * LANES))
        if pack.alike:
            both = factors_at(n - start, scratch.factors)
            for lane in range(LANES):
                add_to_sums(lane, time, both, row, pack, terms, keep, add)
        else:
            for lane in range(LANES):
                both = both_factors(time, lane, True, pack, pack.clock.terms)
                add_to_sums(lane, time, both, row, pack, terms, keep, add)


@vectorised
def gather(first, last, spikes, pack, ring, scratch, keep, sums):
    """Look the adjoint up at the arrivals of spikes `first..last-1`.

    Adds their terms to the sums, unless an integral is read, and leaves them in `scratch.terms` if
    they are to be kept. Marks in `scratch.special` the arrivals among own events; returns whether
    there are any. Arrays are pointers.
    """
    any_special, plain = 0, pack.rate < 0.0
    for start in range(first, last, SIDE_BY_SIDE):
        stop = min(start + SIDE_BY_SIDE, last)
        if pack.alike and plain:
            set_factors(start, stop, spikes, pack, True, scratch.factors)
        for n in range(start, stop):
            time, row, place = spikes.time[n], spikes.source[n] * LANES, moved(scratch.place, (n - first) * LANES)
            for lane in range(LANES):
                place[lane], _ = place_of(pack.delay[row + lane], time, lane, pack.ticks, 2)
        for k in range(start - first, stop - first):
            special = gather_row(ring, moved(scratch.place, k * LANES), moved(scratch.terms, k * (TERMS * LANES)))
            scratch.special[k] = special
            any_special |= special
        # Not above: LLVM would hand what is gathered on lane by lane. Two loops: a store under a
        # condition is slow without AVX-512.
        if plain and keep:
            add_group(start, stop, first, spikes, pack, scratch, True)
        elif plain:
            add_group(start, stop, first, spikes, pack, scratch, False)
        for n in range(start, stop if plain else start):
            source = spikes.source[n]
            scratch.added[source] += 1
            if scratch.added[source] == PIECE:
                end_piece(source, scratch.piece, scratch.added, sums)
    return any_special


@vectorised
def add_all_driven(first, last, spikes, pack, full_adjoint_ring, ring, scratch, sums):
    """[readout-adjoint] Add the adjoint, which an integral readout drives, at the arrivals just
    gathered.

    `full_adjoint_ring [places, ADJOINT + 1]`: at the ends of bins. Arrays are pointers.
    """
    ticks, pm, ps = pack.ticks, moved(pack.flow, FLOW_PM), moved(pack.flow, FLOW_PS)
    for n in range(first, last):
        time, delay = spikes.time[n], moved(pack.delay, spikes.source[n] * LANES)
        place, found = moved(scratch.place, (n - first) * LANES), moved(scratch.terms, (n - first) * (TERMS * LANES))
        add = moved(sums, spikes.source[n] * (TERMS * LANES))
        for lane in range(LANES):
            _, rest, _ = arrival_of(delay[lane], time, ticks)
            h, p = left_in_bin(rest, ticks), place[lane] >> 1
            there = moved(full_adjoint_ring, p * (ADJOINT + 1))
            after = there[LAMBDA_V], there[LAMBDA_I], there[EXCESS], there[DIFFERENCE], there[DRIVE]
            difference, lambda_I = driven_at_arrival(
                after, h, pack.rate, pm[lane], ps[lane], lane, pack.coefficients, pack.clock.terms
            )
            is_number = ring[2 * p] == ring[2 * p]  # nan-ok: NaN marks a bin with own events
            difference, lambda_I = difference if is_number else 0.0, lambda_I if is_number else 0.0
            found[OF_V + lane] = difference  # here, and in the sums, in its place
            add[OF_V + lane] += difference
            add[OF_I + lane] += lambda_I


@vectorised
def add_all_tau(first, last, spikes, pack, w, constants, full_adjoint_ring, ring, scratch, dL_dconstants):
    """[tau-flow] Add the terms of arrivals outside special bins to the gradients of the time
    constants. Arrays are pointers."""
    ticks, of_mem, of_syn = pack.ticks, moved(dL_dconstants, TAU_MEM * LANES), moved(dL_dconstants, TAU_SYN * LANES)
    pm, ps, rate = moved(constants, TAU_MEM * LANES), moved(constants, TAU_SYN * LANES), pack.rate
    for n in range(first, last):
        time, row, place = spikes.time[n], spikes.source[n] * LANES, moved(scratch.place, (n - first) * LANES)
        for lane in range(LANES):
            _, rest, _ = arrival_of(pack.delay[row + lane], time, ticks)
            h, p = float(left_in_bin(rest, ticks)), place[lane] >> 1
            there = moved(full_adjoint_ring, p * (ADJOINT + 1))
            after = there[LAMBDA_V], there[LAMBDA_I], there[X], there[Y], there[Z]
            # An integral is hardly sensitive to tau_mem: its sensitivity is a small difference.
            if rate >= 0.0:
                g = there[DRIVE]
                X_before, Z_before = tau_back(after, h, g, rate, pm[lane], ps[lane], lane, pack.exact, EXACT)
            else:
                X_before, Z_before = tau_back(
                    after, h, 0.0, rate, pm[lane], ps[lane], lane, pack.coefficients, pack.clock.terms
                )
            weight = w[row + lane] if ring[2 * p] == ring[2 * p] else 0.0  # nan-ok: NaN marks a bin with own events
            of_mem[lane] += weight * X_before
            of_syn[lane] += weight * Z_before


@summing
def add_dL_dt_pre(first, last, source, pack, w, scratch, dL_dt_pre):
    """[arrival-time] Add the derivative of the loss by each spike, from the terms of its arrivals.
    Pointers."""
    pm = moved(pack.flow, FLOW_PM)
    for n in range(first, last):
        found, row = moved(scratch.terms, (n - first) * (TERMS * LANES)), source[n] * LANES
        total = 0.0
        if pack.rate >= 0.0:
            for lane in range(LANES):
                total += w[row + lane] * found[OF_V + lane]
        else:
            w_b, w_ab = moved(pack.w_b, row), moved(pack.w_ab, row)
            for lane in range(LANES):
                total += dL_dt_arrival(found[OF_V + lane], found[OF_I + lane], pm[lane], w_b[lane], w_ab[lane])
        dL_dt_pre[n] += total


@inlined
def look_up_plain(first, last, time, source, clock, want_tau, scratch, b, dL_dt_pre):
    """Add the terms of all arrivals of spikes `first..last-1`, a group of the scratch, but the
    special ones.

    `dL_dt_pre`: by spike, empty if not wanted. Returns whether there are special arrivals.
    """
    spikes, pack, w = spike_pointers(time, source), pointers_of(b.pack, clock), pointer(b.pack.synapses.w)
    scratch_ = LookupScratch(
        pointer(scratch.factors), pointer(scratch.place), pointer(scratch.terms), pointer(scratch.special),
        pointer(scratch.listed), pointer(scratch.piece), pointer(scratch.added),
    )
    ring, full_ring, sums = pointer(b.ring), pointer(b.full_adjoint_ring), pointer(b.sums)
    any_special = gather(first, last, spikes, pack, ring, scratch_, dL_dt_pre.size > 0, sums)
    if pack.rate >= 0.0:
        add_all_driven(first, last, spikes, pack, full_ring, ring, scratch_, sums)
    if want_tau:
        constants, dL_dconstants = pointer(b.pack.constants), pointer(b.dL_dconstants)
        add_all_tau(first, last, spikes, pack, w, constants, full_ring, ring, scratch_, dL_dconstants)
    if dL_dt_pre.size > 0:
        add_dL_dt_pre(first, last, spikes.source, pack, w, scratch_, pointer(dL_dt_pre))
    return any_special
