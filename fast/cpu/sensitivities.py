"""The gradients of constants in `A`: their sensitivities, looked up at every arrival.

Without an integral readout the sensitivities at the ends of bins lie behind the adjoint in the
ring, in the precision of the weights, a part of the ring per constant. Where arrivals reach no
further states, two constants share one of twice the width, side by side (the last of an odd number
has its own): one load of four numbers is quicker than two of two. An integral is hardly sensitive
to `tau_mem`, and its sensitivity is a small difference. So with an integral readout the
sensitivities are read from `full_adjoint_ring`, in float64.
"""

from delayprop.fast.compiling.compiler import inlined, vectorised
from delayprop.fast.cpu.arrivals import ring_at, ring_places
from delayprop.fast.cpu.intrinsics import moved
from delayprop.fast.cpu.lookup_scratch import terms_of
from delayprop.fast.cpu.reached import gather_states
from delayprop.fast.cpu.rows import gather_row, gather_two_pairs
from delayprop.fast.layout.arrays import LANES, reads_integral
from delayprop.fast.layout.instants import arrival_of, left_in_bin
from delayprop.fast.layout.rows import A_VI, OF_TAU_MEM
from delayprop.fast.physics.adjoint import (
    DRIVE,
    P_I,
    P_V,
    adjoint_rows,
    ring_numbers,
    sensitivity_at_arrival,
    sensitivity_row,
    sensitivity_with_flow,
)
from delayprop.fast.physics.currents import current_of, lane_of_coefficients, state_of
from delayprop.fast.physics.driven import driven_sensitivity
from delayprop.fast.physics.factors import factors_of
from delayprop.fast.physics.polynomials import EXACT
from delayprop.fast.physics.response import sensitivity_of_arrival

# Rows of scratch. Of one spike: `m` of two constants, entries VI and II of the flow to the end of
# the bin, and the time to it; where arrivals reach other states, four numbers of `p` and of `m`
# instead. From SUMS on: the terms of a group of spikes, a row per constant.
VI, II, H, SUMS = (n * LANES for n in (4, 5, 6, 8))


@inlined
def ring_parts(layer, want_tau):
    """Parts of the ring: of the adjoint, and of each constant whose gradient is asked for."""
    return 1 + (len(layer.learned) if want_tau and not reads_integral(layer) else 0)


@inlined
def ring_size(layer, want_tau):
    """Numbers of a ring of adjoints, of one current, with all its parts."""
    return ring_parts(layer, want_tau) * ring_numbers(layer.others) * ring_places(layer.ticks)


@inlined
def ring_part(constant, constants, others, places):
    """Where the part of one of `constants` begins in the ring of a current, and how many numbers it
    has per place.

    Two constants side by side have four numbers per place; the part of the second begins two
    numbers after that of the first.
    """
    each = ring_numbers(others)
    if each == 2 and constant // 2 * 2 + 1 < constants:
        return 2 * (places * (1 + constant // 2 * 2) + constant % 2), 4
    return each * places * (1 + constant), each


@inlined
def end_sums(sums, learned, dL_dconstants):
    """Add the terms of a group of spikes to the gradients, which are in float64, and empty `sums`.
    Pointers."""
    for k in range(len(learned) * LANES):
        dL_dconstants[k] += sums[k]
        sums[k] = 0.0


@vectorised
def add_plain_sensitivities(start, stop, first, spikes, pack, ring, size, scratch, dL_dconstants):
    """[flow-theta] Add the terms of all arrivals of spikes `start..stop-1`, but the special ones,
    to the gradients of the constants in `A`, where arrivals reach no further states.

    The adjoints at the arrivals are in `scratch.terms`, of a group that begins with `first`.
    `size`: of a ring (`ring_size`). Arrays are pointers.
    """
    found, terms, zero = scratch.at_arrivals, pack.clock.terms, pack.clock.zero
    sums, places, constants = moved(found, SUMS), ring_places(pack.ticks), len(pack.learned)
    for n in range(start, stop):
        time, row, address = spikes.time[n], spikes.source[n] * LANES, moved(scratch.address, (n - first) * LANES)
        delay, w, adjoint = moved(pack.delay, row), moved(pack.w, row), terms_of(n - first, pack.others, scratch)
        current = current_of(spikes.source[n], pack)
        of_current, first_of_current = ring_at(current, ring, size), lane_of_coefficients(current, 0, pack, terms)
        for lane in range(LANES):
            _, rest, _ = arrival_of(delay[lane], time, pack.ticks)
            h = left_in_bin(rest, pack.ticks)
            at = first_of_current + lane
            _, found[VI + lane], found[II + lane] = factors_of(h, at, pack.coefficients, terms)
            found[H + lane] = h
        for first_of_two in range(0, constants, 2):
            start_of_two, each = ring_part(first_of_two, constants, pack.others, places)
            if each == 4:
                gather_two_pairs(moved(of_current, start_of_two), address, found)
            else:
                gather_row(moved(of_current, start_of_two), address, found)
            for constant in range(first_of_two, min(first_of_two + 2, constants)):
                m, of = moved(found, 2 * (constant - first_of_two) * LANES), moved(sums, constant * LANES)
                for lane in range(LANES):
                    p, of_m = (adjoint[lane], adjoint[LANES + lane]), (m[lane], m[LANES + lane])
                    vi, ii, h = found[VI + lane], found[II + lane], found[H + lane]
                    at = first_of_current + lane
                    m_I = sensitivity_with_flow(
                        constant, p, of_m, vi, ii, h, at, pack.others, pack.coefficients, terms
                    )
                    of[lane] += w[lane] * (m_I if p[0] == p[0] else zero)  # nan-ok: NaN marks a bin with own events
    end_sums(sums, pack.learned, dL_dconstants)


@vectorised
def add_reached_sensitivities(first, last, spikes, pack, ring, scratch, dL_dconstants):
    """[flow-theta] Add the terms of all arrivals of spikes `first..last-1`, but the special ones,
    to the gradients of the constants in `A`, where arrivals reach other states. Pointers.
    """
    others, terms, zero, one = pack.others, pack.clock.terms, pack.clock.zero, pack.clock.one
    p, places = scratch.at_arrivals, ring_places(pack.ticks)
    m, sums = moved(p, 4 * LANES), moved(p, SUMS)
    for n in range(first, last):
        time, source, address = spikes.time[n], spikes.source[n], moved(scratch.address, (n - first) * LANES)
        delay, w, into = moved(pack.delay, source * LANES), moved(pack.w, source * LANES), state_of(source, pack)
        gather_states(ring, address, p, others)  # anew: from `scratch.terms` is slower (LOG, 11-29)
        for constant in range(len(pack.learned)):
            of = moved(sums, constant * LANES)
            start, _ = ring_part(constant, len(pack.learned), others, places)
            gather_states(moved(ring, start), address, m, others)
            for lane in range(LANES):
                _, rest, _ = arrival_of(delay[lane], time, pack.ticks)
                h = left_in_bin(rest, pack.ticks)
                of_p = p[lane], p[LANES + lane], p[2 * LANES + lane], p[3 * LANES + lane]
                of_m = m[lane], m[LANES + lane], m[2 * LANES + lane], m[3 * LANES + lane]
                found = sensitivity_of_arrival(
                    constant, of_p, of_m, h, into, lane, others, pack.coefficients, terms, one
                )
                of[lane] += w[lane] * (found if of_p[0] == of_p[0] else zero)  # nan-ok: as above
    end_sums(sums, pack.learned, dL_dconstants)


@vectorised
def add_driven_sensitivities(first, last, spikes, pack, constants, full_adjoint_ring, ring, scratch, dL_dconstants):
    """[flow-theta] Add the terms of all arrivals of spikes `first..last-1`, but the special ones,
    to the gradients of the constants in `A`, with an integral readout.

    `constants`: of the pack; `full_adjoint_ring [places, rows]`: in float64, since the sensitivity
    to `tau_mem` is a small difference here. Arrays are pointers.
    """
    ticks, others, rows = pack.ticks, pack.others, adjoint_rows(pack.others, pack.learned)
    for n in range(first, last):
        time, row, address = spikes.time[n], spikes.source[n] * LANES, moved(scratch.address, (n - first) * LANES)
        for constant in range(len(pack.learned)):
            at, of = sensitivity_row(constant, others), moved(dL_dconstants, constant * LANES)
            for lane in range(LANES):
                _, rest, _ = arrival_of(pack.delay[row + lane], time, ticks)
                h, there = float(left_in_bin(rest, ticks)), moved(full_adjoint_ring, (address[lane] >> 1) * rows)
                p, m = (there[P_V], there[P_I]), (there[at], there[at + 1])
                pm, of_constant = constants[A_VI * LANES + lane], constants[(OF_TAU_MEM + constant) * LANES + lane]
                m_I = sensitivity_at_arrival(constant, p, m, h, lane, others, pack.exact, EXACT)
                m_I += driven_sensitivity(constant, there[DRIVE], h, pm, of_constant, lane, pack.exact, EXACT)
                is_number = ring[address[lane]] == ring[address[lane]]  # nan-ok: as above
                of[lane] += (pack.w[row + lane] if is_number else 0.0) * m_I
