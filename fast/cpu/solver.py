"""`solve` on the CPU: a problem packed, and swept forward and back in pieces on threads; spikes of
sources without a synapse onto a piece are left out of it."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from delayprop.fast.cpu.backward import BackwardInput, BackwardSums, backward_sweep
from delayprop.fast.cpu.bin_width import with_narrow_bins
from delayprop.fast.cpu.carried import Carried
from delayprop.fast.cpu.deposit import most_under_way
from delayprop.fast.cpu.emitted import TOO_MANY, Emitted
from delayprop.fast.cpu.forward import forward_sweep
from delayprop.fast.cpu.recurrent_backward import recurrent_backward_sweep
from delayprop.fast.cpu.recurrent_forward import recurrent_sweep
from delayprop.fast.cpu.sorting import sort_by_bin, sort_by_train
from delayprop.fast.cpu.synapses import gradients_of_pack, write_synapses
from delayprop.fast.cpu.threads import Piece, in_threads, pieces_of
from delayprop.fast.layout.arrays import LANES, Arriving, Layer
from delayprop.fast.layout.instants import BATCH, Ticks
from delayprop.fast.layout.neuron_record import NEURON_RECORD
from delayprop.fast.physics.clock import Clock
from delayprop.fast.physics.within_bin import NONE
from delayprop.fast.solving import packing
from delayprop.fast.solving.bound import spikes_per_train, too_many
from delayprop.fast.solving.problem import Problem
from delayprop.fast.solving.recording import Start, states_by_neuron, states_in_lanes, under_way_at_end, with_under_way
from delayprop.fast.solving.solved import Solved, Sums, Trains, solved, too_fast

NOTHING = np.empty((0, 0, 0))
MOST_KEPT = 0.6  # share of spikes that reach a piece above which a copy of them does not pay


class Reaching(NamedTuple):
    """The spikes that reach a piece, and their numbers among those that arrive at the layer."""

    arriving: Arriving
    numbers: np.ndarray | slice


class PieceSpikes(NamedTuple):
    """Spikes that a piece emits, in the order it found them; `ends`: the end of each trial."""

    emitted: Emitted
    ends: np.ndarray


@dataclass(frozen=True, eq=False)
class SweptOnCpu:
    """Results of the forward sweeps of all pieces, for their backward sweeps.

    Attributes:
        arriving, layer: NumPy views of input and layer, and `clock`: for the sweep back.
        masked: whether some synapses do not exist.
        pieces, spikes: `spikes[k]` belongs to `pieces[k]`.
        rank: `[n]`: place by (trial, neuron) of each spike in this order.
        neuron_record: `[trials, packs, NEURON_RECORD, LANES]`.
        carried: states at the start and at the end of the trials.
    """

    arriving: Arriving
    layer: Layer
    masked: bool
    clock: Clock
    pieces: list[Piece]
    spikes: list[PieceSpikes]
    rank: np.ndarray
    neuron_record: Tensor
    carried: Carried

    def backward(
        self, dL_dt_post: Tensor, dL_dy: Tensor, dL_dx: Tensor | None, want_dt: bool, want_tau: bool
    ) -> Sums:
        """Sweep back; see `fast.solving.solved.Swept`."""
        layer, clock = self.layer, self.clock
        by_states = Carried(np.zeros_like(self.carried.start), NOTHING if dL_dx is None else states_in_lanes(dL_dx))
        dL_dt, dL_dy_, record = dL_dt_post.numpy()[self.rank], dL_dy.numpy(), self.neuron_record.numpy()
        edges = np.cumsum([0, *(len(own.emitted.bin) for own in self.spikes)])

        def sweep(number: int) -> tuple[BackwardSums, np.ndarray | slice]:
            piece, own = self.pieces[number], self.spikes[number]
            of_own = dL_dt[edges[number] : edges[number + 1]]
            arriving, numbers = _reaching(piece, self.arriving, layer, self.masked)
            given = BackwardInput(
                arriving, *own, of_own, dL_dy_, record, self.carried, by_states, want_dt, want_tau
            )
            if layer.copies:
                return recurrent_backward_sweep(piece.first, piece.last, given, layer, clock), numbers
            return backward_sweep(piece.packs.start, piece.first, piece.last, given, layer, clock), numbers

        found, numbers = zip(*in_threads(sweep, range(len(self.pieces))), strict=True)
        packs, sources, _ = layer.synapses.w.shape
        # In the order of the pieces, whichever thread was first: results have the same bits.
        sums = np.zeros((packs, sources, found[0].sums.shape[-1]))
        dL_dconstants = np.zeros((packs, *found[0].dL_dconstants.shape[-2:]))
        dL_dt_pre = np.zeros(len(self.arriving.bin) if want_dt else 0)
        for piece, one, of_piece in zip(self.pieces, found, numbers, strict=True):
            sums[piece.packs] += one.sums
            if want_dt:
                dL_dt_pre[of_piece] += one.dL_dt_pre  # no number occurs twice, so no sum is lost
            dL_dconstants[piece.packs] += one.dL_dconstants
        dL_dw, dL_dd = (np.empty((sources, packs * LANES), layer.synapses.w.dtype) for _ in range(2))
        in_threads(lambda pack: gradients_of_pack(pack, sums[pack], layer, dL_dw, dL_dd), range(packs))
        in_neurons = (np.ascontiguousarray(part[:, : layer.post]) for part in (dL_dw, dL_dd))
        dL_dt_out = np.empty_like(dL_dt)
        dL_dt_out[self.rank] = dL_dt
        found_by_x = states_by_neuron(by_states.start, layer.post) if self.carried.start.size else None
        tensors = map(torch.from_numpy, (*in_neurons, dL_dt_pre, dL_dconstants, dL_dt_out))
        return Sums(*tensors)._replace(dL_dx=found_by_x)


def solve(problem: Problem) -> Solved:
    """Solve a problem whose tensors lie on the CPU.

    Raises:
        UnsupportedError: more bins, in a trial or a delay, than can be counted.
        ArithmeticError: a neuron spikes too fast, or without end; or a layer beyond the bound of
            `fast.solving.bound`.
    """
    problem = with_narrow_bins(problem)
    # Packing copies, so tensors that are changed in place later do not reach the backward pass.
    longest = int(problem.longest_delay)
    layer = packing.layer(problem, longest, problem.clock)
    arrays = _packed(problem, layer)
    arriving, order = _arriving(problem, layer.ticks)
    trains, swept = _swept(problem, arriving, arrays)
    state = _state_at_end(problem, arriving, order, trains, swept) if problem.goes_on else None
    # The sweep forward was in float64; the sweep back has a layer in the precision of the weights.
    if problem.dtype is not np.float64:
        clock = problem.clock.in_precision(problem.dtype)
        layer = packing.layer(problem, longest, clock)
        swept = replace(swept, layer=_packed(problem, layer), clock=clock)
    return solved(problem, layer, torch.from_numpy(order), trains, swept, state)


def _state_at_end(
    problem: Problem, arriving: Arriving, order: np.ndarray, trains: Trains, swept: "SweptOnCpu"
) -> Start:
    before = 0 if problem.start is None else len(problem.start.under_way.ticks)
    trial = np.repeat(np.arange(problem.trials), np.diff(trains.offsets.numpy()[:: swept.layer.post]))
    emitted = trial, *(part.numpy() for part in (trains.neuron, trains.bin, trains.rest))
    under_way = under_way_at_end(
        arriving, order, before + len(problem.times), emitted, swept.layer, swept.clock, problem.width
    )
    return Start(states_by_neuron(swept.carried.end, swept.layer.post), under_way)


def _packed(problem: Problem, layer: Layer) -> Layer:
    """A layer with its synapses, as arrays."""
    w, d, exists = (values.numpy() for values in packing.in_lanes(problem))
    arrays, per_ms = _as_arrays(layer), 1.0 / problem.width
    last = int(problem.longest_delay) if problem.of_recording else problem.clock.last
    in_threads(lambda number: write_synapses(number, w, d, exists, per_ms, last, arrays), range(len(layer.constants)))
    synapses = arrays.synapses
    of_float32 = problem.dtype is np.float32 and synapses.w.dtype == np.float64
    return arrays._replace(any_shared=bool((synapses.shared_delay >= 0).any()), of_float32=of_float32)


def _arriving(problem: Problem, ticks: Ticks) -> tuple[Arriving, np.ndarray]:
    """Arriving spikes up to `T` as kernels read them, and the number of each in the problem, where
    those under way at the start come first."""
    n = len(problem.times)
    counts, order = np.empty(problem.clock.last + 2, np.int64), np.empty(n, np.int64)
    found = Arriving(
        np.empty(problem.trials + 1, np.int64), np.empty(n, np.int32), np.empty(n, np.int64), np.empty(n, np.int32)
    )
    sort_by_bin(problem.times.numpy(), problem.offsets.numpy(), 1.0 / problem.width, ticks, counts, found, order)
    kept = found.offsets[-1]
    found, order = Arriving(found.offsets, *(part[:kept] for part in found[1:])), order[:kept]
    if problem.start is None:
        return found, order
    longest = int(problem.longest_delay)
    return with_under_way(found, order, problem.start.under_way, ticks, problem.width, longest)


def _swept(problem: Problem, arriving: Arriving, layer: Layer) -> tuple[Trains, SweptOnCpu]:
    """Sweep forward: emitted spikes by (trial, neuron), and the input of the backward sweep."""
    clock, packs, post = problem.clock, len(layer.constants), layer.post
    under_way = most_under_way(arriving, layer.span + BATCH)
    record = np.zeros((problem.trials, packs, NEURON_RECORD, LANES))
    carried = _carried(problem, packs)
    pieces = pieces_of(problem.trials, clock.last + 1 - clock.first, packs, layer.copies > 0)
    per_train, masked = spikes_per_train(problem), problem.exists is not None

    def sweep(piece: Piece) -> PieceSpikes:
        neurons = post if layer.copies else min(LANES, post - piece.packs.start * LANES)
        most = int(neurons * per_train)
        reaching = _reaching(piece, arriving, layer, masked).arriving
        given = piece.first, piece.last, reaching, under_way, layer, clock, record, carried, most
        if layer.copies:
            emitted, ends, stuck = recurrent_sweep(*given)
        else:
            emitted, ends, stuck = forward_sweep(piece.packs.start, *given)
        if stuck == TOO_MANY:
            raise too_many(problem)
        if stuck != NONE:
            raise too_fast(stuck)
        # A copy without the free room of the buffers, since it is kept until the backward pass.
        return PieceSpikes(Emitted(*(part[: ends[-1]].copy() for part in emitted)), ends)

    spikes = in_threads(sweep, pieces)
    trains, rank = _by_train(spikes, pieces, problem.trials, post)
    return trains, SweptOnCpu(
        arriving, layer, masked, clock, pieces, spikes, rank, torch.from_numpy(record), carried
    )


def _carried(problem: Problem, packs: int) -> Carried:
    start = NOTHING if problem.start is None else states_in_lanes(problem.start.x)
    end = np.empty((problem.trials, packs, len(problem.matrices.order) * LANES)) if problem.goes_on else NOTHING
    return Carried(start, end)


def _reaching(piece: Piece, arriving: Arriving, layer: Layer, masked: bool) -> Reaching:
    """The spikes of sources with a synapse onto the packs of a piece; all, if few are without."""
    if not masked:
        return Reaching(arriving, slice(None))
    connected = (layer.synapses.delay[piece.packs] >= 0).any((0, 2))
    first, last = arriving.offsets[piece.first], arriving.offsets[piece.last]
    numbers = first + np.flatnonzero(connected[arriving.source[first:last]])
    if len(numbers) > MOST_KEPT * (last - first):
        return Reaching(arriving, slice(None))
    offsets = np.searchsorted(numbers, arriving.offsets)
    return Reaching(Arriving(offsets, *(part[numbers] for part in arriving[1:])), numbers)


def _by_train(spikes: list[PieceSpikes], pieces: list[Piece], trials: int, post: int) -> tuple[Trains, np.ndarray]:
    """The spikes of all pieces by (trial, neuron), and the place there of each."""
    found = Emitted(*(np.concatenate(parts) for parts in zip(*(own.emitted for own in spikes), strict=True)))
    trial = np.concatenate([np.arange(piece.first, piece.last) for piece in pieces])
    edges = np.cumsum([0, *(own.ends[-1] for own in spikes[:-1])])
    ends = np.concatenate([edge + own.ends for edge, own in zip(edges, spikes, strict=True)])
    offsets, rank = np.empty(trials * post + 1, np.int64), np.empty(len(found.bin), np.int64)
    by_train = Emitted(*(np.empty_like(part) for part in found))
    sort_by_train(found, trial, ends, post, offsets, rank, by_train)
    return Trains(*map(torch.from_numpy, (offsets, *by_train))), rank


def _as_arrays(packed: Any) -> Any:
    """A named tuple of tensors as one of arrays that share their memory, and so on within it."""
    if isinstance(packed, Tensor):
        return packed.numpy()
    return type(packed)(*map(_as_arrays, packed)) if hasattr(packed, "_fields") else packed
