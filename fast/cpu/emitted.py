"""Spikes that a sweep emits, in buffers that grow."""

from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import allocating

USUAL = 32  # spikes per neuron and trial for which there is room at first
TOO_MANY = -2  # in place of the number of a neuron: more spikes than a trial may have


class Emitted(NamedTuple):
    """Emitted spikes by (trial, bin), in the order found; `I`: current at the crossing."""

    neuron: np.ndarray
    bin: np.ndarray
    rest: np.ndarray
    I: np.ndarray


@allocating
def no_spikes(w):
    """An empty buffer of the precision of `w`."""
    return Emitted(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, w.dtype), np.empty(0))


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
    )
