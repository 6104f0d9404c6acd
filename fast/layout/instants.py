"""Instants as whole numbers of ticks: one addition gives the bin and the rest of an arrival.

A tick is the power of two of a bin that float64 resolves, or that 63 bits leave. An instant counts
the ticks since the ring of bins ahead last began anew, `slot << bits | rest`, so the sum of the
instant of a spike and a delay holds the slot of the arrival in its upper bits and the rest in its
lower ones. The arithmetic is exact: deposits, the solution of a bin and look-ups agree on every
arrival, in float32 and in float64.

Words for the rings of bins (of deposits and chains ahead, and of adjoints), used everywhere:

    slot     index of a bin in the ring, `bin & (bins - 1)`
    place    index of one lane in one bin of the ring, `slot * LANES + lane`; `place0`: of lane 0
    address  where the numbers of a place begin in a flat ring that has several for each place
    cell     the four numbers of a place in the CPU's ring of deposits (`fast.cpu.intrinsics`)
    turn     once around the ring: as many bins as it has slots
"""

import math
from typing import Any, NamedTuple

from delayprop.fast.compiling.compiler import built, inlined
from delayprop.spec import UnsupportedError
from delayprop.spec.errors import Verbatim

BATCH = 16  # bins whose spikes are deposited, or looked up, at once
ABSENT = -1  # in place of the delay of a synapse that does not exist, or is longer than the trial
MOST_RING_BITS = 23  # numbers of a ring, four per place, are counted in 32 bits
REST_BITS = 53  # that a number resolves


class Ticks(NamedTuple):
    """The division of an instant.

    Attributes:
        bits: of the rest.
        rest: mask of the rest.
        slot: mask of the slot.
        bins: of the ring, a power of two.
        tick: length of a tick in bins, and `one`, the number 1, in the precision of the numbers.
    """

    bits: int
    rest: int
    slot: int
    bins: int
    tick: float
    one: float

    def in_precision(self, dtype: type) -> "Ticks":
        """For numbers of a precision; the division is the same."""
        return self._replace(tick=dtype(self.tick), one=dtype(1))


def ticks_for(longest: int, width: float) -> Ticks:
    """The ticks of a layer; `longest`: its longest delay, in whole bins; `width`: of a bin, ms.

    The ring has room for the bins that a batch of spikes reaches.

    Raises:
        UnsupportedError: delays of more bins than a ring can have.
    """
    # Arrivals lie up to `longest + 1` bins ahead, as rests may carry, of each of BATCH bins.
    ring_bits = (longest + 1 + BATCH).bit_length()
    if ring_bits > MOST_RING_BITS:
        got, most = Verbatim(f"one of {longest} bins of {width} ms"), 2**MOST_RING_BITS - 2 - BATCH
        raise UnsupportedError("d", f"at most {most} bins long", got, "use `python -m reference`, which needs no bins")
    bits = min(REST_BITS, 63 - ring_bits)
    slot = (2**ring_bits - 1) << bits
    return Ticks(bits, 2**bits - 1, slot, 2**ring_bits, 2.0**-bits, 1.0)


def _as_number(typing: Any, instant: Any, number: Any) -> Any:
    """An instant as a number of the type of `number`."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.sitofp(arguments[0], arguments[1].type)

    return number(instant, number), build


# Numba's own product of an instant and a float32 would be float64.
as_number = built(_as_number, lambda instant, number: type(number)(instant))


@inlined
def arrival_of(delay, time, ticks):
    """The slot and the rest of an arrival, and whether its two rests carry into the next bin.

    `delay`: of the synapse; `time`: the instant of the spike; both in ticks.
    """
    instant = delay + time
    return (instant & ticks.slot) >> ticks.bits, instant & ticks.rest, carries(instant, time, ticks)


@inlined
def carries(instant, time, ticks):
    """Whether the rests of a spike at `time` and of its delay sum to a bin or more.

    `instant`: the sum of both, delay and time.
    """
    # A sum of two rests is smaller than either of them only if it has lost a whole bin.
    return (instant & ticks.rest) < (time & ticks.rest)


@inlined
def bin_of(slot, bin_, ticks):
    """The first bin, from `bin_` on, that has this slot in the ring."""
    return bin_ + ((slot - bin_) & (ticks.bins - 1))


@inlined
def in_bins(rest, ticks):
    """A rest in bins, exactly."""
    return float(rest) * float(ticks.tick)


@inlined
def to_tick(x, latest, ticks):
    """Round an instant `x` of a bin to a tick, at most `latest`, and before the end of the bin."""
    # An own spike gets a tick, so that its arrivals are sums of whole numbers, like all others.
    exact = x * (ticks.rest + 1)
    rest = math.floor(exact)
    if exact - rest >= 0.5 and rest < ticks.rest and (rest + 1.0) * ticks.tick <= latest:
        rest += 1.0
    return min(rest, float(ticks.rest)) * ticks.tick


@inlined
def time_of(bin_, x, ticks):
    """The instant, in ticks, of a spike at `x` in a bin; `x` is a whole number of ticks."""
    return ((int(bin_) << ticks.bits) & ticks.slot) | int(x / ticks.tick)


@inlined
def instant_of(bin_, rest, ticks):
    """The instant of a spike, or a delay, in ticks. Its rest is rounded to a tick, which lies
    before the end of the bin."""
    return ((int(bin_) << ticks.bits) & ticks.slot) | min(_nearest(rest * (ticks.rest + 1)), ticks.rest)


@inlined
def _nearest(x):
    """A number that is not negative, rounded to a whole one, halves to the even one.

    `np.rint` is a call, which would keep loops over lanes from taking vectors.
    """
    whole = int(x)
    rest = x - whole
    return whole + int((rest > 0.5) | ((rest == 0.5) & ((whole & 1) == 1)))


@inlined
def left_in_bin(rest, ticks):
    """The time, in bins, from a rest in ticks to the end of its bin, in the precision of the
    numbers."""
    return ticks.one - as_number(rest, ticks.tick) * ticks.tick
