"""The width of bins on the CPU: narrower than usual where many arrivals would share a bin.

Where a neuron may spike, the arrivals of the bin are sorted and followed one by one. An own spike
of a recurrent layer that arrives in the bin in which it is emitted is the dearest: each neuron that
it reaches is then followed anew. Narrower bins cost a step more each, and memory.
"""

import math
from dataclasses import replace

from delayprop.fast.layout.arrays import LANES
from delayprop.fast.solving.problem import Problem

MOST_INPUTS, MOST_LOOPS = 500, 8  # synapses onto a neuron, and its loops within a bin, at the usual width
NARROWEST = 16  # bins in a usual one, at most
MOST_AHEAD, MOST_BINS = 2**22, 2**20  # bins ahead of all lanes of a sweep, 32 bytes each; bins of a trial


def with_narrow_bins(problem: Problem) -> Problem:
    """The problem with narrower bins, if they pay and none are given.

    Sizes and delays choose the width, and spikes never do: so a trial is as if alone.
    """
    never_solved = problem.neuron.spike is None and problem.readout != "max_voltage"
    if problem.bin_width is not None or never_solved or not problem.d.numel():
        return problem
    d, exists, post = problem.d, problem.exists, problem.w.shape[1]
    inputs = len(d) if exists is None else int(exists.sum()) / post
    duration = math.inf if problem.of_recording else problem.duration
    arrives = d <= duration if exists is None else exists & (d <= duration)
    longest, loops = float(d.masked_fill(~arrives, 0.0).max()), d.masked_fill(~arrives, math.inf)[problem.sources :]
    lanes = -(-post // LANES) * LANES if len(loops) else LANES

    def pays(width: float) -> bool:
        """Whether bins of half the width pay, and have room."""
        share, short = width / problem.width, int((loops < width).sum()) / post
        has_room = longest * lanes <= width / 2 * MOST_AHEAD
        has_room &= problem.of_recording or problem.duration <= width / 2 * MOST_BINS
        return has_room and (inputs * share > MOST_INPUTS or short * share > MOST_LOOPS)

    width = problem.width
    while width > problem.width / NARROWEST and pays(width):
        width /= 2
    return problem if width == problem.width else replace(problem, bin_width=width)
