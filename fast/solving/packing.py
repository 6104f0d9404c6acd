"""A problem packed, on the device of its tensors, into the layouts of `fast.physics.layout`."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from fast.physics.instants import ABSENT, Ticks, ticks_for
from fast.physics.layout import Layer, Synapses
from fast.physics.polynomials import AAB, AB, ABB, LANES, RA, RAA, RAAB, RAB, RABB, coefficients
from fast.solving.problem import Problem


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


class Behind(NamedTuple):
    """Convolutions of `fast.physics.polynomials` at minus the rest of each delay, float64.

    `[sources, post]`: `[pm]`, `[ps]`, `[pm, ps]`; with an integral readout `[-r, pm]` and `[-r, pm,
    ps]` too.
    """

    a: Tensor
    b: Tensor
    ab: Tensor
    ra: Tensor | None
    rab: Tensor | None


def split(times: Tensor, problem: Problem) -> tuple[Tensor, Tensor]:
    """`(bin, rest)` of times or delays in ms, int32 and float64.

    A time beyond the trial gives `(last + 1, 0)`. The width of a bin is a power of two, so nothing
    rounds.
    """
    in_bins, last = times.double() / problem.width, problem.clock.last
    bins = in_bins.clamp(max=last + 1).to(torch.int32)  # no time is negative: this rounds down
    return bins, in_bins.sub_(bins).masked_fill_(bins > last, 0.0)


def instants(bin_: Tensor, rest: Tensor, ticks: Ticks) -> Tensor:
    """Times or delays, split, as instants of the ring (`fast.physics.instants`)."""
    kind = torch.int32 if ticks.kind is np.int32 else torch.int64
    in_ticks = (rest * 2.0**ticks.bits).round_().clamp_(max=ticks.rest).to(torch.int64)
    return in_ticks.bitwise_or_(bin_.to(torch.int64).bitwise_left_shift_(ticks.bits).bitwise_and_(ticks.turn)).to(kind)


def delays(problem: Problem) -> Delays:
    """The delays of a layer."""
    bin_, rest = split(problem.d, problem)
    counts = bin_ <= problem.clock.last
    if problem.exists is not None:
        counts &= problem.exists
    longest = (bin_ * counts).max() if bin_.numel() else bin_.new_zeros(())
    return Delays(bin_, rest, counts, longest)


def layer(problem: Problem, found: Delays, longest: int) -> tuple[Layer, Behind]:
    """The neurons and synapses of a problem, and the factors of the synapses that gradients need.

    Args:
        found: its delays; `longest`: their `longest`, on the host.

    Raises:
        UnsupportedError: delays of more bins than can be counted.
    """
    w, (sources, post) = problem.w, problem.w.shape
    ticks = ticks_for(longest, problem.dtype, problem.width)
    key = (problem.host_constants.tobytes(), problem.width, problem.rate, problem.dtype)
    constants, flow, factors = (torch.from_numpy(values).to(w.device) for values in _of_neurons(*key))
    delay = instants(found.bin, found.rest, ticks)
    rest, weight = delay.bitwise_and(ticks.rest).double() * 2.0**-ticks.bits, torch.where(found.counts, w, 0.0)
    pm, ps = (problem.width / torch.from_numpy(tau).to(w.device) for tau in problem.host_constants[:2])
    behind = _behind(rest, pm, ps, problem.rate)
    factors_of_w = [row for row in (behind.b, behind.ab, behind.rab) if row is not None]
    rows = [weight, *((weight.double() * row).to(w.dtype) for row in factors_of_w)]
    packed = [_packed(torch.where(found.counts, delay, ABSENT), ABSENT), *(_packed(row, 0.0) for row in rows)]
    if behind.rab is None:
        packed.append(w.new_zeros(len(constants), 0, LANES))
    alike = bool((problem.host_constants[:2] == problem.host_constants[:2, :1]).all())
    return Layer(
        Synapses(*packed), ticks, longest + 2, constants, flow, factors, alike, problem.rate,
        problem.readout == "max_voltage", problem.sources, (sources - problem.sources) // post, post,
    ), behind


def _behind(r: Tensor, pm: Tensor, ps: Tensor, rate: float) -> Behind:
    """See `Behind`; `r`: the rests."""
    a, ab = (pm * r).exp_(), _convolution(r, pm, ps)
    if rate < 0:
        return Behind(a, (ps * r).exp_(), ab, None, None)
    ra = _convolution(r, torch.full_like(pm, -rate), pm)
    return Behind(a, (ps * r).exp_(), ab, ra, (ra - ab) / (ps + rate))


def _convolution(r: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """`[p, q]` at `-r`, also where `p` and `q` are equal, or almost."""
    z = (q - p) * r
    return -r * (p * r).exp_() * torch.where(z == 0, 1.0, torch.expm1(z) / torch.where(z == 0, 1.0, z))


def _packed(values: Tensor, absent: float) -> Tensor:
    """`[sources, post]` as `[blocks, sources, LANES]`; `absent` in lanes without a neuron."""
    sources, post = values.shape
    blocks = -(-post // LANES)
    padded = pad(values, (0, blocks * LANES - post), value=absent)
    return padded.reshape(sources, blocks, LANES).transpose(0, 1).contiguous()


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
