"""A solved problem: spikes, readout, ties and gradients from the kernels, in ms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad

from delayprop.fast.compiling.compiler import on_host
from delayprop.fast.layout import neuron_record as row
from delayprop.fast.layout.arrays import LANES, Layer, reads_integral
from delayprop.fast.layout.neuron_record import EQUAL_MAXIMA, SIMULTANEOUS_AT_MAXIMUM, SPIKE_AT_END
from delayprop.fast.layout.rows import UNIT_RATE, V_TH
from delayprop.fast.solving.matrices import Matrices
from delayprop.fast.solving.problem import Problem
from delayprop.fast.solving.recording import Start
from delayprop.spec.neuron import Neuron


class Trains(NamedTuple):
    """Emitted spikes, in bins.

    `offsets [trials * post + 1]`: start of each train. `neuron, bin, rest, I, slope [n]`,
    `others [n, others]`; `I, others`: states at the crossing; `slope`: of the level, per bin.
    """

    offsets: Tensor
    neuron: Tensor
    bin: Tensor
    rest: Tensor
    I: Tensor
    slope: Tensor
    others: Tensor


class Sums(NamedTuple):
    """Gradients that a backward sweep sums over all trials, times in bins.

    Attributes:
        dL_dw, dL_dd: `[sources, post]`, in the precision of the weights; all others are float64.
        dL_dt_pre: by arriving spike, in the order of the kernels; empty unless wanted.
        dL_dconstants: `[packs, rows, LANES]`: by the constants in `A`, zeros unless wanted; then by
            the entries of the level and of the reset (`fast.physics.adjoint`).
        dL_dt_post: by emitted spike; of a recurrent layer through its own arrivals too.
        dL_dx: `[trials, post, states]`: by the state at the start; None without one.
    """

    dL_dw: Tensor
    dL_dd: Tensor
    dL_dt_pre: Tensor
    dL_dconstants: Tensor
    dL_dt_post: Tensor
    dL_dx: Tensor | None = None


class Swept(Protocol):
    """Results of a forward sweep, for its backward sweep."""

    @property
    def neuron_record(self) -> Tensor:
        """`[trials, packs, NEURON_RECORD, LANES]`, see `fast.layout.neuron_record`."""

    def backward(
        self, dL_dt_post: Tensor, dL_dy: Tensor, dL_dx: Tensor | None, want_dt: bool, want_tau: bool
    ) -> Sums:
        """Sweep back: `dL_dt_post` by emitted spike, per bin; `dL_dy [trials, packs, LANES]`;
        `dL_dx [trials, post, states]` by the state at `T`, None if it is not asked for."""


class Gradients(NamedTuple):
    """Gradients of a problem, times in ms.

    `t_in`: by spike under way at the start and by arriving spike, None unless wanted; `w, d
    [sources, post]`, in the precision of the weights; `constants`: of the neurons, `[post]` each,
    in their order, None unless wanted; `t_out`: by emitted spike, of a recurrent layer through its
    own arrivals too; `x`: by the state at the start, None without one. All but `w` and `d` are
    float64.
    """

    t_in: Tensor | None
    w: Tensor
    d: Tensor
    constants: list[Tensor | None]
    t_out: Tensor
    x: Tensor | None


@dataclass(frozen=True, eq=False)
class Solved:
    """The solution of a problem, on its device, times in ms.

    Attributes:
        times, offsets: `[n]`, float64: emitted spikes by (trial, neuron), and the start of each
            train.
        y: `[trials, post]`, float64: the voltage readout; 0 without one.
        kappa: `[n]`: conditioning of each spike: its slope over the unit rate and `v_th`, squared.
        grazes: whether a spike meets its threshold with slope 0, so that its gradient is infinite.
        ties: `[trials, post]`, bits as in `fast.layout.neuron_record`.
        spikes_at_end: whether a neuron spikes exactly at `T`.
        dy_dT: `[trials, post]`: derivative of a largest voltage by `T`.
        solved_bins: `[trials, post]`: number of bins that were solved event by event.
        width: of a bin.
        given: number of input spikes, those under way at the start among them.
        order: `order[k]`: index of the k-th spike that the kernels read.
        layer: packed input of the kernels.
        swept: state that the forward sweep keeps for the backward sweep.
        neuron, matrices: of the problem.
        state: at `T`; None unless asked for.
    """

    times: Tensor
    offsets: Tensor
    y: Tensor
    kappa: Tensor
    grazes: Tensor
    ties: Tensor
    spikes_at_end: bool
    dy_dT: Tensor
    solved_bins: Tensor
    width: float
    given: int
    order: Tensor
    layer: Layer
    swept: Swept
    neuron: Neuron
    matrices: Matrices
    state: Start | None

    def backward(
        self, dL_dt_post: Tensor, dL_dy: Tensor, want_dt: bool, wanted: Sequence[str], dL_dx: Tensor | None = None
    ) -> Gradients:
        """Gradients by all tensors of the problem.

        Args:
            dL_dt_post: by emitted spike, float64.
            dL_dy: `[trials, post]`, float64.
            want_dt: whether the gradients of input times are wanted. `wanted`: names of constants.
            dL_dx: `[trials, post, states]`, float64: by the state at `T`; None unless asked for.

        Raises:
            ArithmeticError: the gradient of a spike is infinite.
        """
        if bool(self.grazes):
            remedy = "use float64, or `reference`"
            raise ArithmeticError(f"a spike grazes its threshold, so its gradient is infinite; {remedy}")
        layer, post, width = self.layer, self.layer.post, self.width
        in_lanes = pad(dL_dy.contiguous(), (0, len(layer.constants) * LANES - post)).reshape(len(dL_dy), -1, LANES)
        dL_dw, dL_dd, dL_dt_pre, dL_dconstants, dL_dt_out, dL_dx_start = self.swept.backward(
            dL_dt_post.contiguous() * width, in_lanes, dL_dx, want_dt,
            any(name in self.matrices.learned for name in wanted),
        )
        if layer.read_maximum:  # the readout of a neuron that spikes is `v_th` itself
            spiked = self.swept.neuron_record[:, :, row.RECENT_BIN] >= 0
            dL_dconstants[:, len(layer.learned)] += _over_trials(torch.where(spiked, in_lanes, 0.0))
        rows = dL_dconstants.transpose(0, 1).flatten(1)[:, :post]
        constants = [self._of_constant(name, rows) if name in wanted else None for name in self.neuron.constants]
        t_in = None
        if want_dt:
            t_in = dL_dt_pre.new_zeros(self.given).index_copy_(0, self.order, dL_dt_pre / width)
        return Gradients(t_in, dL_dw, dL_dd / width, constants, dL_dt_out / width, dL_dx_start)

    def _of_constant(self, name: str, rows: Tensor) -> Tensor:
        """The gradient by a constant: through `A`, and through the level and the reset."""
        learned, found = self.matrices.learned, rows.new_zeros(rows.shape[1])
        if name in learned:
            found = found + rows[learned.index(name)]
        if name in self.matrices.by:
            found = found + (rows[len(learned) :] * torch.from_numpy(self.matrices.by[name]).to(rows)).sum(0)
        return found


def solved(
    problem: Problem, layer: Layer, order: Tensor, trains: Trains, swept: Swept, state: Start | None = None
) -> Solved:
    """The solution, from the results of the forward sweep of a device, whose `neuron_record` loses
    the maxima of neurons that spike; other arguments: as the attributes of `Solved`."""
    # In units of each neuron, so that one limit of `kappa` serves all (specification, section 10).
    scale = (layer.constants[:, UNIT_RATE] * layer.constants[:, V_TH]).flatten().index_select(0, trains.neuron)
    y, ties, dy_dT = _read(swept.neuron_record, layer, problem)
    return Solved(
        times=(trains.bin + trains.rest.double()) * problem.width,
        offsets=trains.offsets,
        y=y,
        kappa=(trains.slope / scale) ** 2,  # [spike-grazing]
        grazes=(trains.slope <= 0).any(),
        ties=ties,
        spikes_at_end=bool((ties & SPIKE_AT_END).any()),
        dy_dT=dy_dT,
        solved_bins=_by_neuron(swept.neuron_record[:, :, row.SOLVED], layer),
        width=problem.width,
        given=len(problem.times) + (0 if problem.start is None else len(problem.start.under_way.ticks)),
        order=order,
        layer=layer,
        swept=swept,
        neuron=problem.neuron,
        matrices=problem.matrices,
        state=state,
    )


def too_fast(neuron: int) -> ArithmeticError:
    """The error of a neuron whose spikes do not end."""
    return ArithmeticError(f"neuron {neuron} of a layer spikes too fast, or without end; lower its weights")


def _read(record: Tensor, layer: Layer, problem: Problem) -> tuple[Tensor, Tensor, Tensor]:
    """Readout, ties and `dy_dT`, `[trials, post]` each; clears the maxima of neurons that spike."""
    clock, nothing = problem.clock, record.new_zeros(len(record), layer.post)
    ties = record[:, :, row.TIES].to(torch.uint8)
    if on_host(reads_integral)(layer):
        mean = _by_neuron(record[:, :, row.INTEGRAL], layer) / (clock.last + float(clock.end))
        return mean, _by_neuron(ties, layer), nothing
    if not layer.read_maximum:
        return nothing, _by_neuron(ties, layer), nothing
    # The largest voltage of a neuron that spikes is its threshold: a constant, and no event.
    spiked, group = record[:, :, row.RECENT_BIN] >= 0, record[:, :, row.MAX_GROUP]
    record[:, :, row.MAX_BIN].masked_fill_(spiked, -1.0)
    y = torch.where(spiked, layer.constants[:, V_TH], record[:, :, row.MAX_V])
    at_maximum = EQUAL_MAXIMA | SIMULTANEOUS_AT_MAXIMUM
    ties = torch.where(spiked, ties & (0xFF & ~at_maximum), ties | SIMULTANEOUS_AT_MAXIMUM * (group > 1))
    at_end = (record[:, :, row.MAX_BIN] == clock.last) & (record[:, :, row.MAX_REST] == float(clock.end)) & (group == 0)
    slope = torch.where(at_end, record[:, :, row.MAX_SLOPE], 0.0) / problem.width
    y, ties, slope = (_by_neuron(one, layer) for one in (y, ties.to(torch.uint8), slope))
    return y, ties, slope


def _by_neuron(values: Tensor, layer: Layer) -> Tensor:
    """`[trials, packs, LANES]` as `[trials, post]`."""
    return values.reshape(len(values), -1)[:, : layer.post]


def _over_trials(values: Tensor) -> Tensor:
    """The sum over trials.

    On the CPU NumPy adds: the order of torch's sum depends on its number of threads.
    """
    return values.sum(dim=0) if values.is_cuda else torch.from_numpy(values.numpy().sum(axis=0))
