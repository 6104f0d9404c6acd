"""A problem packed, on the device of its tensors, into the layouts of `fast.physics.layout`."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fast.physics.clock import SLOT
from fast.physics.layout import Layer
from fast.physics.polynomials import AAB, AB, ABB, LANES, RA, RAA, RAAB, RAB, RABB, coefficients
from fast.solving.problem import Problem
from spec import UnsupportedError
from spec.errors import Verbatim


class Delays(NamedTuple):
    """Delays in bins, `[sources, post]`.

    Attributes:
        bin, rest: whole bins, and the rest of each delay.
        counts: whether the synapse exists and its delay is no longer than the trial.
        longest: the largest `bin` of those that count, one number on the device.
    """

    bin: Tensor
    rest: Tensor
    counts: Tensor
    longest: Tensor


def split(times: Tensor, problem: Problem) -> tuple[Tensor, Tensor]:
    """`(bin, rest)` of times or delays in ms, int32 and in the precision of `w`.

    A time beyond the trial gives `(last + 1, 0)`. The width of a bin is a power of two, so only the
    conversion of the rest to its precision rounds.
    """
    in_bins, last = times.double() / problem.width, problem.clock.last
    bins = in_bins.clamp(max=last + 1).to(torch.int32)  # no time is negative: this rounds down
    return bins, in_bins.sub_(bins).masked_fill_(bins > last, 0.0).to(problem.w.dtype)


def delays(problem: Problem) -> Delays:
    """The delays of a layer."""
    bin_, rest = split(problem.d, problem)
    counts = bin_ <= problem.clock.last
    if problem.exists is not None:
        counts &= problem.exists
        rest *= counts
    longest = (bin_ * counts).max() if bin_.numel() else bin_.new_zeros(())
    return Delays(bin_, rest, counts, longest)


def layer(problem: Problem, found: Delays, longest: int) -> Layer:
    """The neurons and synapses of a problem.

    Args:
        found: its delays; `longest`: their `longest`, on the host.

    Raises:
        UnsupportedError: delays of more bins than the precision can count.
    """
    w, (sources, post), slots = problem.w, problem.w.shape, longest + 2
    most = min(2.0 ** (np.finfo(problem.dtype).nmant + 1) / (3 * SLOT), 2**31 / (4 * SLOT))
    if slots > most:
        got = Verbatim(f"one of {longest} bins of {problem.width} ms")
        remedy = "use float64, or `python -m reference`, which needs no bins"
        raise UnsupportedError("d", f"at most {int(most) - 2} bins long", got, remedy)
    key = (problem.host_constants.tobytes(), problem.width, problem.rate, problem.dtype)
    constants, flow, factors = (torch.from_numpy(values).to(w.device) for values in _of_neurons(*key))
    blocks, absent = len(constants), 2 * slots * SLOT
    columns = w.new_zeros(3, sources, blocks * LANES)
    columns[0, :, :post] = w
    columns[1] = absent
    columns[1, :, :post] = torch.where(found.counts, found.bin * SLOT, absent)
    columns[1] += 2 * (torch.arange(blocks * LANES, device=w.device) % LANES) + (columns[0] < 0)
    columns[2, :, :post] = found.rest
    packed = columns.reshape(3, sources, blocks, LANES).permute(2, 1, 0, 3).reshape(blocks, sources, 3 * LANES)
    return Layer(
        packed, slots, constants, flow, factors, problem.rate, problem.readout == "max_voltage", problem.sources,
        (sources - problem.sources) // post, post,
    )


def unpacked(values: Tensor, post: int) -> Tensor:
    """`[blocks, sources, LANES]` as `[sources, post]`."""
    return values.transpose(0, 1).reshape(values.shape[1], -1)[:, :post]


@lru_cache(maxsize=64)
def _of_neurons(constants: bytes, width: float, rate: float, dtype: type) -> tuple[np.ndarray, ...]:
    """`constants`, `flow`, `coefficients` of a layer.

    They are cached: they seldom change from step to step, and take as long as a small layer.
    """
    tau_mem, tau_syn, v_th, v_reset = np.frombuffer(constants).reshape(4, -1)
    pm, ps = _padded(width / tau_mem, 0.25), _padded(width / tau_syn, 0.25)
    exact = coefficients(pm, ps, max(rate, 0.0), np.float64).sum(axis=2)
    a, b = np.exp(-pm), np.exp(-ps)
    whole = [exact[:, which] for which in (AB, AAB, ABB, RA, RAB, RAA, RAAB, RABB)]
    return (
        np.stack([pm, ps, _padded(v_th, np.inf), _padded(v_reset, 0.0)], axis=1),
        np.concatenate([a, pm * exact[:, AB], b, pm, ps, *whole], axis=1),
        coefficients(pm, ps, rate, dtype).reshape(len(pm), -1),
    )


def _padded(values: np.ndarray, other: float) -> np.ndarray:
    """`[post]` as `[blocks, LANES]`, `other` in lanes without a neuron."""
    padded = np.full((-(-len(values) // LANES), LANES), other)
    padded.ravel()[: len(values)] = values
    return padded
