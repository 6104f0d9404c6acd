"""Readouts of the voltage in the forward pass: the largest voltage, and the integral in closed form."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fast.bins import arrival, beyond, to_end
from fast.compiling import compiled
from fast.flow import TOUCH, integrals_to_end

# ties, as bits
ARRIVAL_AT_CROSSING, SPIKE_AT_END, ARRIVAL_AT_END, EQUAL_MAXIMA, SIMULTANEOUS_AT_MAXIMUM = 1, 2, 4, 8, 16


class Maximum(NamedTuple):
    """Largest voltages, `[trials, post]`, or `[1]` for one neuron in one trial: height and instant.

    `bin` is -1 where it is the initial 0. `group`: how many arrivals it is pinned to. `Vdot_plus`: the slope just after
    them, or at `T` for a maximum there, 0 for an interior one.
    """

    V: np.ndarray
    bin: np.ndarray
    rest: np.ndarray
    Vdot_plus: np.ndarray
    group: np.ndarray


@compiled
def offer_maximum(best, V, bin_, rest, Vdot_plus, group, at, ties):
    """Take a local maximum if it exceeds the best so far by more than rounding; flag it if it equals it."""
    margin = TOUCH * at.u * abs(best.V[0])
    if V > best.V[0] + margin:
        best.V[0], best.bin[0], best.rest[0], best.Vdot_plus[0], best.group[0] = V, bin_, rest, Vdot_plus, group
        ties[0] &= ~EQUAL_MAXIMA & 0xFF
    elif best.bin[0] >= 0 and margin + V >= best.V[0]:
        ties[0] |= EQUAL_MAXIMA


@compiled
def integral_of_voltage(
    trains, first_train, n_pre, w, exists, delay_bin, delay_rest, at, rate, drop, spikes, first, last, pm, ps
):
    """`(1/T) int exp(-rate t) V dt` over the trial: what each arrival adds, less what each reset takes away.

    `spikes[first:last]`: the neuron's own, each of which lowers `V` by `drop`.
    """
    T, total = at.last * at.width + at.end, 0.0
    for i in range(n_pre):
        if exists[i]:
            for s in range(trains.offsets[first_train + i], trains.offsets[first_train + i + 1]):
                bin_, r, _ = arrival(trains.bin[s], trains.rest[s], delay_bin[i], delay_rest[i], at)
                if beyond(bin_, r, at):
                    break
                t = bin_ * at.width + r
                _, of_k = integrals_to_end(to_end(bin_, r, at), rate, pm, ps)
                total += w[i] * math.exp(-rate * t) * of_k
    for n in range(first, last):
        t = spikes.bin[n] * at.width + spikes.rest[n]
        of_a, _ = integrals_to_end(to_end(spikes.bin[n], spikes.rest[n], at), rate, pm, ps)
        total -= drop * math.exp(-rate * t) * of_a
    return total / T
