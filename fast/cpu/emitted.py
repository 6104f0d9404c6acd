"""Spikes that a sweep emits, in buffers that grow."""

from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import allocating, inlined

USUAL = 32  # spikes per neuron and trial for which there is room at first
TOO_MANY = -2  # in place of the number of a neuron: more spikes than a trial may have


class Emitted(NamedTuple):
    """Emitted spikes by (trial, bin), in the order found; `I`, `others [spikes, others]`: the state
    at the crossing; `slope`: of the level there, per bin."""

    neuron: np.ndarray
    bin: np.ndarray
    rest: np.ndarray
    I: np.ndarray
    slope: np.ndarray
    others: np.ndarray


@allocating
def no_spikes(w, others):
    """An empty buffer of the precision of `w`."""
    return Emitted(
        np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, w.dtype), np.empty(0), np.empty(0),
        np.empty((0, len(others.states))),
    )


@allocating
def with_room(emitted, count):
    """The buffer itself if it has room for `count` spikes, else a copy at least twice as long."""
    more = max(count, 2 * emitted.bin.size) - emitted.bin.size
    if count <= emitted.bin.size:
        return emitted
    return Emitted(
        np.concatenate((emitted.neuron, np.empty(more, np.int32))),
        np.concatenate((emitted.bin, np.empty(more, np.int32))),
        np.concatenate((emitted.rest, np.empty(more, emitted.rest.dtype))),
        np.concatenate((emitted.I, np.empty(more))),
        np.concatenate((emitted.slope, np.empty(more))),
        np.concatenate((emitted.others, np.empty((more, emitted.others.shape[1])))),
    )


@inlined
def emit(emitted, n, number, bin_, x, I, O, slope):
    """Write spike `n` of a neuron."""
    emitted.slope[n] = slope
    emitted.neuron[n], emitted.bin[n], emitted.rest[n], emitted.I[n] = number, bin_, x, I
    for k in range(emitted.others.shape[1]):
        emitted.others[n, k] = O[k]
