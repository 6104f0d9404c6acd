"""Synapses and neurons packed in blocks of `LANES` neurons, side by side, as the kernels read them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from fast.physics.clock import SLOT, Clock, split, stable_order
from fast.physics.layout import Arriving, Layer
from fast.physics.polynomials import AAB, AB, ABB, LANES, RA, RAA, RAAB, RAB, RABB, coefficients
from spec import UnsupportedError
from spec.errors import Verbatim


def layer(
    w: np.ndarray,
    d: np.ndarray,
    exists: np.ndarray | None,
    constants: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    external: int,
    rate: float,
    read_maximum: bool,
    bin_width: float,
    clock: Clock,
) -> Layer:
    """Pack a layer.

    Args:
        w, d, exists: `[sources, post]`; `d` in ms, float64.
        constants: `tau_mem`, `tau_syn` (ms), `v_th`, `v_reset`, `[post]`.
        external: number of sources before the layer's own neurons.
        rate: of an integral readout, per bin; negative: none.

    Raises:
        UnsupportedError: delays of more bins than the precision can count.
    """
    sources, post = w.shape
    dtype = w.dtype.type
    blocks = -(-post // LANES)
    delay_bin, delay_rest = split(d, bin_width, clock.last, dtype)
    there = delay_bin <= clock.last if exists is None else exists & (delay_bin <= clock.last)
    slots = int(delay_bin.max(initial=0, where=there)) + 2
    most = 2.0 ** (np.finfo(dtype).nmant + 1) / (3 * SLOT)
    if slots > min(most, 2**31 / (4 * SLOT)):
        got = Verbatim(f"one of {slots - 2} bins of {bin_width} ms")
        expected = f"at most {int(min(most, 2**31 / (4 * SLOT))) - 2} bins long"
        raise UnsupportedError("d", expected, got, "use float64, or `python -m reference`, which needs no bins")
    ring_offset = np.where(there, delay_bin.astype(np.int64) * SLOT, 2 * slots * SLOT)
    packed_synapses = np.zeros((blocks, sources, 3, LANES), dtype)
    packed_synapses[:, :, 1] = 2 * slots * SLOT
    by_lane = _lanes(np.stack([w, ring_offset, np.where(there, delay_rest, 0.0)], axis=1).astype(dtype), packed_synapses)
    by_lane[:, :, 1] += 2 * np.arange(LANES, dtype=dtype) + (by_lane[:, :, 0] < 0)
    pm, ps = (_padded(bin_width / tau, 0.25, blocks) for tau in constants[:2])
    v_th, v_reset = _padded(constants[2], np.inf, blocks), _padded(constants[3], 0.0, blocks)
    return Layer(
        by_lane.reshape(blocks, sources, 3 * LANES), slots, np.stack([pm, ps, v_th, v_reset], axis=1),
        _flow(pm, ps, rate), coefficients(pm, ps, rate, dtype).reshape(blocks, -1), rate, read_maximum, external,
        (sources - external) // post, post,
    )


def _flow(pm: np.ndarray, ps: np.ndarray, rate: float) -> np.ndarray:
    """`[blocks, FLOW * LANES]`: see above."""
    exact = coefficients(pm, ps, max(rate, 0.0), np.float64).sum(axis=2)
    a, b = np.exp(-pm), np.exp(-ps)
    whole = [exact[:, which] for which in (AB, AAB, ABB, RA, RAB, RAA, RAAB, RABB)]
    return np.concatenate([a, pm * exact[:, AB], b, pm, ps, *whole], axis=1)


def _lanes(values: np.ndarray, into: np.ndarray) -> np.ndarray:
    """`[sources, 3, post]` into `[blocks, sources, 3, LANES]`, whose other lanes are filled already."""
    post = values.shape[2]
    full = post // LANES
    if full:
        whole = values[:, :, : full * LANES].reshape(len(values), 3, full, LANES)
        into[:full] = whole.transpose(2, 0, 1, 3)
    if post % LANES:
        into[full, :, :, : post % LANES] = values[:, :, full * LANES :]
    return into


def _padded(values: np.ndarray, other: float, blocks: int) -> np.ndarray:
    """`[post]` as `[blocks, LANES]`, `other` in lanes without a neuron."""
    padded = np.full(blocks * LANES, other)
    padded[: len(values)] = values
    return padded.reshape(blocks, LANES)


def unpacked(packed_synapses: np.ndarray, post: int) -> np.ndarray:
    """`[blocks, sources, LANES]` as `[sources, post]`."""
    return np.ascontiguousarray(packed_synapses.transpose(1, 0, 2)).reshape(packed_synapses.shape[1], -1)[:, :post]


def sorted_by_bin(
    times: np.ndarray, offsets: np.ndarray, trials: int, bin_width: float, clock: Clock, dtype: type
) -> tuple[Arriving, np.ndarray]:
    """Spikes as the kernels read them, and the number of each among `times`; those after `T` are left out.

    Args:
        times: ms, by (trial, source), trains at `offsets`.
    """
    bin_, rest = split(times, bin_width, clock.last, dtype)
    sources = (len(offsets) - 1) // trials
    starts = offsets[np.arange(trials + 1) * sources]
    source = np.tile(np.arange(sources, dtype=np.int32), trials)
    order, counts = np.empty(len(times), np.int64), np.empty(clock.last + 3, np.int64)
    for first, last in pairwise(starts.tolist()):
        stable_order(bin_, first, last, counts, order)
    bin_, rest, source = bin_[order], rest[order], np.repeat(source, np.diff(offsets))[order]
    within = bin_ <= clock.last
    if not within.all():
        starts = np.concatenate([[0], within.cumsum()])[starts]
        bin_, rest, source, order = bin_[within], rest[within], source[within], order[within]
    return Arriving(starts, bin_, rest, source), order
