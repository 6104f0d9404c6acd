"""Buffers of the kernels: as many trials at once as there is memory for."""

import torch
from torch import Tensor

from delayprop.fast.compiling.compiler import on_host
from delayprop.fast.cuda.arrays import NARROW, Passed
from delayprop.fast.cuda.forward import Ahead, Emission, Written, deposit_numbers
from delayprop.fast.cuda.recurrent_arrays import EmissionInOrder, Together
from delayprop.fast.layout.arrays import LANES, Layer, reads_integral
from delayprop.fast.layout.neuron_record import NEURON_RECORD
from delayprop.fast.physics.adjoint import ring_numbers, sensitivity_row
from delayprop.fast.physics.currents import currents

MEMORY = 2**30
"""Bytes for bins ahead, and for sums of the backward pass; constant, since it groups the sums."""
FIRST_ROOM = 16
"""Spikes for which there is room at first; the room that a layer needed is remembered."""
_needed: dict[tuple[object, ...], int] = {}


def remembered(name: str, layer: Layer, least: int) -> int:
    """The room that the last layer of this size needed."""
    return _needed.get((name, *layer.synapses.w.shape), least)


def remember(name: str, layer: Layer, needed: int) -> None:
    """Remember the room that a layer needed, for the next layer of its size."""
    _needed[name, *layer.synapses.w.shape] = needed


def some(part: Tensor) -> Tensor:
    """The tensor; if it is empty, a tensor of one number instead, since kernels need an address."""
    return part if part.numel() else part.new_zeros((1,) * part.dim())


def whole_power(n: int) -> int:
    """The smallest power of two that is at least `n`."""
    return 1 << max(n - 1, 0).bit_length()


def _empty(layer: Layer, dtype: torch.dtype, *shape: int) -> Tensor:
    return torch.empty(shape, dtype=dtype, device=layer.constants.device)


def _columns(layer: Layer) -> int:
    """Columns of an array of other states, at least one: kernels need an address."""
    return max(len(layer.others.states), 1)


def rows_of_adjoint(layer: Layer) -> int:
    """Rows of an adjoint (`fast.physics.adjoint.adjoint_rows`, which calls this function)."""
    return on_host(sensitivity_row)(len(layer.learned), layer.others)


def is_wide(layer: Layer) -> bool:
    """Whether the scratch of a pack has no room in shared memory."""
    return 3 * rows_of_adjoint(layer) + 3 > NARROW


def bins_ahead(trials: int, layer: Layer, under_way: int) -> Ahead:
    """Bins ahead of `trials` trials at once, each with room for `under_way` spikes."""
    packed, packs = layer.synapses.w, len(layer.constants)
    places, links = layer.ticks.bins * LANES, (trials, packs, whole_power(under_way), LANES)
    return Ahead(
        packed.new_zeros(trials, packs, on_host(deposit_numbers)(layer.others) * places),
        packed.new_zeros(trials, packs, places if on_host(reads_integral)(layer) else 1),
        _empty(layer, torch.int32, trials, packs, places).fill_(-1), _empty(layer, torch.int32, *links),
        packed.new_empty(links), packed.new_empty(links),
    )


def bytes_ahead(layer: Layer, under_way: int) -> int:
    """Bytes of the bins ahead of one trial."""
    item, lanes = layer.synapses.w.element_size(), len(layer.constants) * LANES
    numbers = on_host(deposit_numbers)(layer.others) + 1
    return lanes * (layer.ticks.bins * (numbers * item + 4) + whole_power(under_way) * (2 * item + 4))


def found_from(starts: Tensor, size: int, layer: Layer, neuron_record: Tensor) -> Emission:
    """Buffers for `size` spikes; each train begins at its entry of `starts`."""
    size = max(size, 1)
    return Emission(starts, torch.empty_like(starts[1:]), _written(size, layer), neuron_record)


def _written(size: int, layer: Layer) -> Written:
    """Buffers for `size` spikes."""
    float64 = torch.float64
    return Written(
        _empty(layer, torch.int32, size), layer.synapses.w.new_empty(size), _empty(layer, float64, size),
        _empty(layer, float64, size), _empty(layer, float64, size, _columns(layer)),
    )


def found_in_order(trials: int, size: int, layer: Layer) -> EmissionInOrder:
    """Buffers for `size` spikes of each trial of a recurrent layer."""
    int32, float64, packs = torch.int32, torch.float64, len(layer.constants)
    return EmissionInOrder(
        _empty(layer, torch.int64, trials).zero_(), _empty(layer, int32, trials).zero_(),
        _empty(layer, int32, trials, size), _written(trials * size, layer),
        _empty(layer, float64, trials, packs, NEURON_RECORD, LANES).zero_(),
    )


def together(trials: int, size: int, layer: Layer) -> Together:
    """Arrays that threads share, for trials of up to `size` spikes."""
    lanes, int32, int64, float64 = len(layer.constants) * LANES, torch.int32, torch.int64, torch.float64
    size, instant = max(size, 1), layer.synapses.delay.dtype

    def of_lanes(dtype: torch.dtype, *columns: int) -> Tensor:
        return _empty(layer, dtype, trials, lanes, *columns)

    return Together(
        time=_empty(layer, instant, trials, size), source=_empty(layer, int32, trials, size),
        bin=_empty(layer, int32, trials, size), V=of_lanes(float64), I=of_lanes(float64),
        others=of_lanes(float64, _columns(layer)), level=of_lanes(float64), needs_solve=of_lanes(int32),
        V_settled=of_lanes(float64), I_settled=of_lanes(float64), others_settled=of_lanes(float64, _columns(layer)),
        x_settled=of_lanes(float64), n_settled=of_lanes(int64), when=of_lanes(float64),
    )


def _ring_numbers(layer: Layer) -> int:
    """Numbers per place of the rings of adjoints of all currents."""
    return on_host(currents)(layer.others) * on_host(ring_numbers)(layer.others)


def chunks_of(trials: int, layer: Layer, full: bool) -> int:
    """Number of chunks of trials, each with sums of its own: as many as there is memory for.

    `full`: whether the sweep needs the full adjoint.
    """
    packs, sources, _ = layer.synapses.w.shape
    item, places = layer.synapses.w.element_size(), layer.ticks.bins * LANES
    ring = places * (_ring_numbers(layer) * item + 8 + (8 * rows_of_adjoint(layer) if full else 0))
    each = packs * (2 * sources * LANES * 8 + ring + LANES * 8 * (3 * rows_of_adjoint(layer) + 3))
    chunks = min(trials, max(MEMORY // each, 1))
    return -(-trials // -(-trials // chunks))


def passed_by(chunks: int, layer: Layer, full: bool, spikes: int) -> Passed:
    """Rings and own events of a backward sweep over `spikes` own spikes."""
    packs, places, float64 = len(layer.constants), layer.ticks.bins * LANES, torch.float64
    events = spikes + chunks * packs * LANES
    scratch = (chunks, packs) if layer.copies or is_wide(layer) else (1, 1)
    return Passed(
        layer.synapses.w.new_empty(chunks, packs, _ring_numbers(layer) * places),
        _empty(layer, float64, chunks, packs, rows_of_adjoint(layer), places if full else 1),
        _empty(layer, torch.int64, chunks, packs, places), _empty(layer, float64, events),
        _empty(layer, torch.int64, events), _empty(layer, float64, 2 * events, rows_of_adjoint(layer)),
        _empty(layer, float64, 2 * events), _empty(layer, float64, *scratch, 3 * rows_of_adjoint(layer) + 3, LANES),
    )


def in_waves(offsets: Tensor, spikes: int, layer: Layer, want_dt: bool) -> list[tuple[int, int, int, int]]:
    """Trials `(first, last)` and their arriving spikes `(first, last)`, wave by wave.

    A wave has as many trials as there is memory for one number per spike and neuron. `offsets
    [trials + 1], spikes`: start of each trial in all `spikes` arriving spikes.
    """
    trials, most = len(offsets) - 1, MEMORY // (len(layer.constants) * LANES * layer.synapses.w.element_size())
    if not want_dt or spikes <= most:
        return [(0, trials, 0, spikes)]
    starts, waves, first = offsets.tolist(), [], 0
    for trial in range(1, trials + 1):
        if trial == trials or starts[trial + 1] - starts[first] > most:
            waves.append((first, trial, starts[first], starts[trial]))
            first = trial
    return waves
