"""Forward kernel: the spikes, or the readout, of a range of neurons over whole trials.

For each neuron and trial:
1. every arrival is deposited into its bin: two sums, referred to the start of the bin, exact and free of order;
2. the bins are scanned. A bin in which the voltage provably stays below what matters (the threshold; the largest
   voltage so far, if that is read) is crossed in one step;
3. the few others have their arrivals sorted and are solved event by event.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fast.bins import Factors, arrival, arrival_factors, beyond, fill_factors, sort_by_bin, sort_within_bin, to_end
from fast.compiling import compiled
from fast.flow import TOUCH, factors, time_to_peak, time_to_threshold
from fast.readouts import (
    ARRIVAL_AT_CROSSING,
    ARRIVAL_AT_END,
    EQUAL_MAXIMA,
    SIMULTANEOUS_AT_MAXIMUM,
    SPIKE_AT_END,
    Maximum,
    integral_of_voltage,
    offer_maximum,
)

FULL, STUCK = -1, -2  # what `solve_bin` answers instead of a number of spikes
NONE = -1  # no neuron
MOST_SPIKES = 2.0**26  # that one current may cause (specification, section 1)


class Layer(NamedTuple):
    """Synapses onto a layer and its constants; arrays `[post, pre]` and `[post]`.

    `exists`: 1 where a synapse is. `v_th` is infinite where there is no threshold. `rate`: that of the integral
    readout. `read_maximum`: whether the largest voltage is read.
    """

    w: np.ndarray
    exists: np.ndarray
    delay_bin: np.ndarray
    delay_rest: np.ndarray
    tau_mem: np.ndarray
    tau_syn: np.ndarray
    v_th: np.ndarray
    v_reset: np.ndarray
    rate: float
    read_maximum: bool


class Emitted(NamedTuple):
    """Emitted spikes, in the order of the neurons and trials solved: instant, and current at the crossing."""

    bin: np.ndarray
    rest: np.ndarray
    I: np.ndarray


@compiled
def solve_bin(V, I, bin_, rest, weight, first, last, constants, at, read_maximum, spikes, n_spikes, best, recent, ties):
    """Solve one bin event by event.

    `rest, weight [first:last]`: its arrivals, in order. `constants`: pm, ps, v_th, v_reset. `recent`: bin, rest and
    `Vdot_minus` of the neuron's last spike.

    Returns:
        `V, I` at the end of the bin and the number of new spikes; FULL if `spikes` has no room; STUCK if they come
        too fast, or without end.
    """
    pm, ps, v_th, v_reset = constants
    end = at.end if bin_ == at.last else at.width
    n_new, x, n = 0, 0.0, first
    while True:
        x_next = rest[n] if n < last else end
        # crossings up to the next arrival, or the end
        while True:
            h = time_to_threshold(V, I, x_next - x, pm, ps, v_th, at.u)
            if h < 0.0 and (n < last or bin_ == at.last):
                # an arrival, or T, at the very instant of a crossing: the crossing comes first
                a, k, b = factors(x_next - x, pm, ps)
                if v_th - (V * a + I * k) <= TOUCH * at.u * v_th and I * b > v_th * (1.0 + TOUCH * at.u):
                    h = x_next - x
            if h < 0.0:
                break
            if not I * pm <= MOST_SPIKES * ps * (v_th - v_reset) or (n_new > 0 and h > 0.0 and x + h == x):
                return V, I, STUCK
            x_cross = min(x + h, x_next)
            I *= math.exp(-ps * h)
            V, x = v_reset, x_cross
            if n_spikes + n_new >= spikes.bin.size:
                return V, I, FULL
            spikes.bin[n_spikes + n_new], spikes.rest[n_spikes + n_new], spikes.I[n_spikes + n_new] = bin_, x, I
            recent[0], recent[1], recent[2] = bin_, x, pm * (I - v_th)
            n_new += 1
            if to_end(bin_, x, at) * recent[2] <= TOUCH * at.u * v_th:
                ties[0] |= SPIKE_AT_END
        h = x_next - x
        a, k, b = factors(h, pm, ps)
        V_next, I_next = V * a + I * k, I * b
        h_peak = math.inf
        if read_maximum and V < I and I > 0:
            h_peak = time_to_peak(V, I, pm, ps)
            if h_peak < h:
                offer_maximum(best, I * math.exp(-ps * h_peak), bin_, x + h_peak, 0.0, 0, at, ties)
        V, I, x = V_next, I_next, x_next
        if n == last:
            if read_maximum and bin_ == at.last and h_peak >= h and V < I:
                offer_maximum(best, V, bin_, x, pm * (I - V), 0, at, ties)
            return V, I, n_new
        # all arrivals of this instant
        if recent[0] >= 0 and ((bin_ - recent[0]) * at.width + (x - recent[1])) * recent[2] <= TOUCH * at.u * v_th:
            ties[0] |= ARRIVAL_AT_CROSSING
        group, I_minus = 0, I
        while n < last and rest[n] == x:
            I += weight[n]
            n += 1
            group += 1
        if read_maximum and V < I_minus and I <= V:
            offer_maximum(best, V, bin_, x, pm * (I - V), group, at, ties)


@compiled
def solve_neuron(
    trains, first_train, n_pre, layer, j, constants, spike, synapse, at, scratch, spikes, n_spikes, best, ties
):
    """One neuron over one trial; fills `best` and `ties`, appends to `spikes`.

    Returns:
        The spikes (regrown if they had to), and their number so far (STUCK: see `solve_bin`).
    """
    pm, ps, v_th, _ = constants
    w, exists, delay_bin, delay_rest = layer.w[j], layer.exists[j], layer.delay_bin[j], layer.delay_rest[j]
    deposit_V, deposit_I, excitation, start, rest, weight = scratch
    a_bin, k_bin, b_bin = factors(at.width, pm, ps)
    deposit_V[:], deposit_I[:], excitation[:] = 0.0, 0.0, 0.0
    for i in range(n_pre):
        if not exists[i]:
            continue
        for s in range(trains.offsets[first_train + i], trains.offsets[first_train + i + 1]):
            bin_, r, wrapped = arrival(trains.bin[s], trains.rest[s], delay_bin[i], delay_rest[i], at)
            if beyond(bin_, r, at):
                break
            _, k, b = arrival_factors(spike, s, synapse, i, wrapped, a_bin, k_bin, b_bin)
            deposit_V[bin_] += w[i] * k
            deposit_I[bin_] += w[i] * b
            excitation[bin_] += max(w[i], 0.0)
            if bin_ == at.last and r == at.end:
                ties[0] |= ARRIVAL_AT_END
    V, I, sorted_ = 0.0, 0.0, False
    recent = np.full(3, -1.0)
    for bin_ in range(at.last + 1):
        I_max = max(I, 0.0) + excitation[bin_]
        V_max = V + (1.0 - a_bin) * max(I_max - V, 0.0) + 64 * at.u * (abs(V) + I_max)
        level = min(v_th, best.V[0]) if layer.read_maximum else v_th
        just_crossed = recent[0] == bin_ - 1 and recent[1] * 1.001 >= at.width
        if V_max < level and not just_crossed:
            if bin_ == at.last:
                a_bin, k_bin, b_bin = factors(at.end, pm, ps)
            V, I = (V + deposit_V[bin_]) * a_bin + (I + deposit_I[bin_]) * k_bin, (I + deposit_I[bin_]) * b_bin
            continue
        if not sorted_:
            sort_by_bin(trains, first_train, n_pre, w, exists, delay_bin, delay_rest, at, start, rest, weight)
            sorted_ = True
        sort_within_bin(rest, weight, start[bin_], start[bin_ + 1])
        crossed_before = recent.copy()
        while True:
            V_end, I_end, n_new = solve_bin(
                V, I, bin_, rest, weight, start[bin_], start[bin_ + 1], constants, at, layer.read_maximum,
                spikes, n_spikes, best, recent, ties,
            )  # fmt: skip
            if n_new != FULL:
                break
            spikes, recent[:] = grown(spikes), crossed_before
        if n_new == STUCK:
            return spikes, STUCK
        V, I, n_spikes = V_end, I_end, n_spikes + n_new
    if best.group[0] > 1:
        ties[0] |= SIMULTANEOUS_AT_MAXIMUM
    return spikes, n_spikes


@compiled
def grown(spikes):
    """The same spikes in arrays twice as long."""
    return Emitted(
        np.concatenate((spikes.bin, np.empty_like(spikes.bin))),
        np.concatenate((spikes.rest, np.empty_like(spikes.rest))),
        np.concatenate((spikes.I, np.empty_like(spikes.I))),
    )


@compiled
def forward_range(first, last, trains, n_trials, n_pre, layer, at, integral_read, counts, y, maxima, ties):
    """Neurons `first..last-1` over all trials.

    Fills `counts, y [trial, post]`, the fields of `maxima [trial, post]` (given as zeros, `bin` as -1) and
    `ties [trial, post]`.

    Returns:
        Spikes ordered by (neuron, trial); their number; and the neuron that spikes faster than can be resolved, or
        NONE.
    """
    spike = Factors(np.empty_like(trains.rest), np.empty_like(trains.rest), np.empty_like(trains.rest))
    row = np.empty_like(layer.delay_rest[0])
    synapse = Factors(row, np.empty_like(row), np.empty_like(row))
    n_bins, most = at.last + 1, 0
    for trial in range(n_trials):
        most = max(most, trains.offsets[(trial + 1) * n_pre] - trains.offsets[trial * n_pre])
    scratch = (
        np.empty(n_bins), np.empty(n_bins), np.empty(n_bins), np.empty(n_bins + 1, np.int64),
        np.empty(most, trains.rest.dtype), np.empty(most, layer.w.dtype),
    )  # fmt: skip
    spikes = Emitted(np.empty(1024, np.int32), np.empty(1024, trains.rest.dtype), np.empty(1024))
    n_spikes, pm, ps = 0, 0.0, 0.0
    for j in range(first, last):
        new_pm, new_ps = 1.0 / layer.tau_mem[j], 1.0 / layer.tau_syn[j]
        if new_pm != pm or new_ps != ps:  # neurons with the constants of the one before share its factors
            pm, ps = new_pm, new_ps
            fill_factors(trains.rest, pm, ps, spike)
        fill_factors(layer.delay_rest[j], pm, ps, synapse)
        constants = (pm, ps, layer.v_th[j], layer.v_reset[j])
        for trial in range(n_trials):
            here = slice(j, j + 1)
            best = Maximum(
                maxima.V[trial, here], maxima.bin[trial, here], maxima.rest[trial, here],
                maxima.Vdot_plus[trial, here], maxima.group[trial, here],
            )  # fmt: skip
            before = n_spikes
            spikes, n_spikes = solve_neuron(
                trains, trial * n_pre, n_pre, layer, j, constants, spike, synapse, at, scratch,
                spikes, n_spikes, best, ties[trial, here],
            )  # fmt: skip
            if n_spikes == STUCK:
                return spikes, n_spikes, j
            counts[trial, j] = n_spikes - before
            if layer.read_maximum:
                if n_spikes > before:  # the largest voltage of a neuron that spikes is its threshold
                    best.V[0], best.bin[0] = layer.v_th[j], -1
                    ties[trial, j] &= ~(EQUAL_MAXIMA | SIMULTANEOUS_AT_MAXIMUM) & 0xFF
                y[trial, j] = best.V[0]
            elif integral_read:
                y[trial, j] = integral_of_voltage(
                    trains, trial * n_pre, n_pre, layer.w[j], layer.exists[j], layer.delay_bin[j], layer.delay_rest[j],
                    at, layer.rate, layer.v_th[j] - layer.v_reset[j], spikes, before, n_spikes, pm, ps,
                )  # fmt: skip
    return spikes, n_spikes, NONE
