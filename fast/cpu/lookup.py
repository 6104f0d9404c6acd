"""The adjoint looked up at every arrival, for the gradients of weights, delays and spike times.

A ring holds the adjoint at the end of each bin ahead (which the sweep, backwards in time, has
passed). At an arrival it is multiplied by the factors of the spike (`fast.physics.factors`), as in
its deposit; where an integral is read, or arrivals reach other states, it flows back to the arrival
itself. Where a neuron has an own event in the bin, the ring holds NaN: those few arrivals are
looked up among the events (`fast.physics.own_events`).
"""

from delayprop.fast.compiling.compiler import inlined, summing, vectorised
from delayprop.fast.cpu.arrivals import (
    SIDE_BY_SIDE,
    address_of,
    factors_at,
    pointers_of,
    ring_at,
    set_factors,
    spike_pointers,
)
from delayprop.fast.cpu.intrinsics import moved, pointer
from delayprop.fast.cpu.lookup_scratch import OF_I, OF_V, PIECE, TERMS, LookupScratch, end_piece, terms_of
from delayprop.fast.cpu.reached import add_reached, gather_states
from delayprop.fast.cpu.rows import gather_row, read_pairs
from delayprop.fast.cpu.sensitivities import (
    add_driven_sensitivities,
    add_plain_sensitivities,
    add_reached_sensitivities,
    ring_size,
)
from delayprop.fast.layout.arrays import LANES, reaches_others, reads_integral
from delayprop.fast.layout.instants import ABSENT, arrival_of, carries, left_in_bin
from delayprop.fast.physics.adjoint import DIFFERENCE, DRIVE, EXCESS, P_I, P_V, adjoint_rows, ring_numbers
from delayprop.fast.physics.currents import current_of, lane_of_flow
from delayprop.fast.physics.driven import driven_at_arrival
from delayprop.fast.physics.factors import adjoint_terms, both_factors, dL_dt_arrival, one_of


@inlined
def add_to_sums(lane, vv, vi, ii, pack, terms, keep, sums):
    """Add the terms of an arrival at a lane to the sums of its synapse.

    `vv, vi, ii`: the factors of the arrival. `terms`: holds the adjoint at the end of its bin.
    `keep`: whether the terms overwrite that, since the gradient of spike times reads them.
    """
    p_V, p_I = terms[OF_V + lane], terms[OF_I + lane]
    is_nan = p_V != p_V  # nan-ok: NaN marks a bin with own events
    of_V, of_I = adjoint_terms(p_V, p_I, vv, vi, ii)
    # A special arrival adds 0 here: `look_up_special` adds its terms later.
    of_V, of_I = pack.clock.zero if is_nan else of_V, pack.clock.zero if is_nan else of_I
    if keep:
        terms[OF_V + lane], terms[OF_I + lane] = of_V, of_I
    sums[OF_V + lane] += of_V  # [arrival]
    sums[OF_I + lane] += of_I


@inlined
def add_group(start, stop, first, spikes, pack, scratch, keep):
    """Add the terms of all arrivals of spikes `start..stop-1` to the sums of their synapses.

    The adjoints at the arrivals are in `scratch.terms`, of a group of spikes that begins with
    `first`. `keep`: see `add_to_sums`.
    """
    for n in range(start, stop):
        time, source = spikes.time[n], spikes.source[n]
        row, current, add = source * LANES, current_of(source, pack), moved(scratch.piece, source * (TERMS * LANES))
        terms = terms_of(n - first, pack.others, scratch)
        shared = pack.shared_delay[source] if pack.any_shared else ABSENT
        if shared >= 0:
            both = factors_at(n - start, current, scratch.factors)
            vv, vi, ii = one_of(carries(shared + time, time, pack.ticks), both)
            for lane in range(LANES):
                add_to_sums(lane, vv, vi, ii, pack, terms, keep, add)
        elif pack.alike:
            both = factors_at(n - start, current, scratch.factors)
            for lane in range(LANES):
                vv, vi, ii = one_of(carries(pack.delay[row + lane] + time, time, pack.ticks), both)
                add_to_sums(lane, vv, vi, ii, pack, terms, keep, add)
        else:
            for lane in range(LANES):
                both = both_factors(time, current, lane, pack, pack.clock.terms)
                vv, vi, ii = one_of(carries(pack.delay[row + lane] + time, time, pack.ticks), both)
                add_to_sums(lane, vv, vi, ii, pack, terms, keep, add)


@vectorised
def gather(first, last, spikes, pack, ring, scratch, keep, want_tau, sums, dL_dconstants):
    """Look the adjoint up at the arrivals of spikes `first..last-1`.

    Unless an integral is read, adds their terms to the sums, and leaves them in `scratch.terms` if
    they are to be kept. Where arrivals reach no further states, also adds to the gradients of the
    constants, if wanted. Marks in `scratch.special` the arrivals among own events; returns whether
    there are any. Arrays are pointers.
    """
    any_special, size = 0, ring_size(pack, want_tau)
    plain, reached = not reads_integral(pack) and not reaches_others(pack.others), reaches_others(pack.others)
    at_once = pack.any_shared and plain and not want_tau  # nothing else reads the places of arrivals in step
    for start in range(first, last, SIDE_BY_SIDE):
        stop = min(start + SIDE_BY_SIDE, last)
        if pack.alike and plain:
            set_factors(start, stop, spikes, pack, scratch.factors)
        for n in range(start, stop):
            time, row, address = spikes.time[n], spikes.source[n] * LANES, moved(scratch.address, (n - first) * LANES)
            shared = pack.shared_delay[spikes.source[n]] if at_once else ABSENT
            if shared >= 0:
                address[0], _ = address_of(shared, time, 0, pack.ticks, ring_numbers(pack.others))
                continue
            for lane in range(LANES):
                address[lane], _ = address_of(pack.delay[row + lane], time, lane, pack.ticks, ring_numbers(pack.others))
        for k in range(start - first, stop - first):
            found = terms_of(k, pack.others, scratch)
            if reached:
                special = gather_states(ring, moved(scratch.address, k * LANES), found, pack.others)
            else:
                source, address = spikes.source[first + k], moved(scratch.address, k * LANES)
                of_current = ring_at(current_of(source, pack), ring, size)
                if at_once and pack.shared_delay[source] >= 0:
                    special = read_pairs(moved(of_current, address[0]), found)
                else:
                    special = gather_row(of_current, address, found)
            scratch.special[k] = special
            any_special |= special
        if want_tau and plain:
            add_plain_sensitivities(start, stop, first, spikes, pack, ring, size, scratch, dL_dconstants)
        # Not above: LLVM would hand what is gathered on lane by lane. Two loops: a store under a
        # condition is slow without AVX-512.
        if plain and keep:
            add_group(start, stop, first, spikes, pack, scratch, True)
        elif plain:
            add_group(start, stop, first, spikes, pack, scratch, False)
        elif reached:
            for n in range(start, stop):
                add_reached(n - first, spikes.time[n], spikes.source[n], pack, scratch)
        for n in range(start, stop if plain or reached else start):
            source = spikes.source[n]
            scratch.added[source] += 1
            if scratch.added[source] == PIECE:  # so rounding does not grow with the number of spikes
                end_piece(source, scratch.piece, scratch.added, sums)
    return any_special


@vectorised
def add_all_driven(first, last, spikes, pack, full_adjoint_ring, ring, scratch, sums):
    """[readout] Add the adjoint, which an integral readout drives, at the arrivals just
    gathered.

    `full_adjoint_ring [places, rows]`: at the ends of bins. Arrays are pointers.
    """
    ticks, rows = pack.ticks, adjoint_rows(pack.others, pack.learned)
    for n in range(first, last):
        time, delay = spikes.time[n], moved(pack.delay, spikes.source[n] * LANES)
        address, found = moved(scratch.address, (n - first) * LANES), terms_of(n - first, pack.others, scratch)
        add = moved(sums, spikes.source[n] * (TERMS * LANES))
        for lane in range(LANES):
            _, rest, _ = arrival_of(delay[lane], time, ticks)
            h, p = left_in_bin(rest, ticks), address[lane] >> 1  # the place: 2 numbers in `ring` each
            there = moved(full_adjoint_ring, p * rows)
            after = there[P_V], there[P_I], there[EXCESS], there[DIFFERENCE], there[DRIVE]
            along, p_I = driven_at_arrival(after, h, lane, pack, pack.coefficients, pack.clock.terms)
            is_number = ring[2 * p] == ring[2 * p]  # nan-ok: NaN marks a bin with own events
            along, p_I = along if is_number else 0.0, p_I if is_number else 0.0
            found[OF_V + lane] = along  # here, and in the sums, where else `p` is
            add[OF_V + lane] += along
            add[OF_I + lane] += p_I


@summing
def add_dL_dt_pre(first, last, source, pack, scratch, dL_dt_pre):
    """[arrival] Add the derivative of the loss by each spike, from the terms of its arrivals.
    Pointers."""
    for n in range(first, last):
        found, row = terms_of(n - first, pack.others, scratch), source[n] * LANES
        total = 0.0
        if reads_integral(pack) or reaches_others(pack.others):
            for lane in range(LANES):
                total -= pack.w[row + lane] * found[OF_V + lane]
        else:
            w_I, w_V = moved(pack.w_I, row), moved(pack.w_V, row)
            first_of_flow = lane_of_flow(current_of(source[n], pack), 0)
            for lane in range(LANES):
                at = first_of_flow + lane
                total += dL_dt_arrival(found[OF_V + lane], found[OF_I + lane], at, pack.flow, w_I[lane], w_V[lane])
        dL_dt_pre[n] += total


@inlined
def look_up_plain(first, last, time, source, clock, want_tau, scratch, b, dL_dt_pre):
    """Look the adjoint up at the arrivals of spikes `first..last-1`, and add their terms to the
    gradients; all but the special ones, which lie among own events of their neuron.

    The spikes are one group of the scratch. `dL_dt_pre`: by spike, empty if not wanted. Returns
    whether there are special arrivals.
    """
    spikes, pack = spike_pointers(time, source), pointers_of(b.pack, clock)
    scratch_ = LookupScratch(
        pointer(scratch.factors), pointer(scratch.address), pointer(scratch.terms), pointer(scratch.special),
        pointer(scratch.listed), pointer(scratch.at_arrivals), pointer(scratch.piece), pointer(scratch.added),
    )
    ring, full_ring, sums = pointer(b.ring), pointer(b.full_adjoint_ring), pointer(b.sums)
    dL_dconstants, keep = pointer(b.dL_dconstants), dL_dt_pre.size > 0
    any_special = gather(first, last, spikes, pack, ring, scratch_, keep, want_tau, sums, dL_dconstants)
    if reads_integral(pack):
        add_all_driven(first, last, spikes, pack, full_ring, ring, scratch_, sums)
    if want_tau and reads_integral(pack):
        constants = pointer(b.pack.constants)
        add_driven_sensitivities(first, last, spikes, pack, constants, full_ring, ring, scratch_, dL_dconstants)
    elif want_tau and reaches_others(pack.others):
        add_reached_sensitivities(first, last, spikes, pack, ring, scratch_, dL_dconstants)
    if keep:
        add_dL_dt_pre(first, last, spikes.source, pack, scratch_, pointer(dL_dt_pre))
    return any_special
