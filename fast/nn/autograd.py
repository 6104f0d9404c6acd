"""One layer for torch: spikes in; spikes and readout out, joined to the autograd graph."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from delayprop.fast.cpu import solver as cpu
from delayprop.fast.nn.autograd_guards import differentiable_once, outside_transforms
from delayprop.fast.nn.devices import on_gpu
from delayprop.fast.nn.layer_checks import check_arguments, check_into, check_lif, check_pair, constants_of
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.nn.state import LayerState, start_of, state_of
from delayprop.fast.solving.problem import Problem
from delayprop.fast.solving.solved import Solved
from delayprop.spec import SpecError, UnsupportedError
from delayprop.spec.checks import positive_number
from delayprop.spec.errors import Verbatim
from delayprop.spec.neuron import LI, LIF, Neuron


@dataclass(frozen=True, eq=False)
class Record:
    """Results of a layer besides its differentiable outputs, as NumPy arrays.

    Attributes:
        kappa: `[n]`: conditioning of each spike, `(tau_mem Vdot_minus / v_th)^2` of LIF (of others
            see the specification, section 10), in the order of the spikes.
        ties: `[trials, size]`, bits as in `fast.layout.neuron_record`.
        spikes_at_end: whether a neuron spikes exactly at `T`, so that gradients are one-sided.
        dy_dT: `[trials, size]`: of a largest voltage, its derivative by `T`: its slope if it is
            reached there.
        solved_bins: `[trials, size]`: number of bins in which a bound could not exclude a spike, a
            tie or a new largest voltage, so that the neuron was solved event by event.
        problem: as it was solved; its tensors share the memory of the parameters.
        tick: ms; to which arrivals are rounded.
    """

    kappa: np.ndarray
    ties: np.ndarray
    spikes_at_end: bool
    dy_dT: np.ndarray
    solved_bins: np.ndarray
    problem: Problem
    tick: float

    def split(self, sizes: Sequence[int], counts: Tensor) -> "list[Record]":
        """One record per population, for populations side by side of `sizes` neurons; `counts`:
        `[trials, size]`, number of spikes."""
        if len(sizes) == 1:
            return [self]
        ends = np.cumsum(sizes)[:-1]
        part = np.repeat(np.arange(len(sizes)), sizes)
        of_spikes = np.repeat(np.tile(part, len(counts)), counts.flatten().cpu().numpy())
        ties, dy_dT, solved = (np.split(one, ends, axis=1) for one in (self.ties, self.dy_dT, self.solved_bins))
        return [
            replace(self, kappa=self.kappa[of_spikes == n], ties=ties[n], dy_dT=dy_dT[n], solved_bins=solved[n])
            for n in range(len(sizes))
        ]

    @property
    def integrated(self) -> Problem | None:
        """The problem, if an integral of the voltage is read."""
        return self.problem if self.problem.rate >= 0 else None

    @property
    def kappa_min(self) -> float | None:
        """The smallest conditioning; None without a spike."""
        return float(self.kappa.min()) if len(self.kappa) else None

    def __repr__(self) -> str:
        trials, size = self.ties.shape
        least = "" if self.kappa_min is None else f", kappa_min {self.kappa_min:.2g}"
        tied = np.count_nonzero(self.ties)
        return f"Record(trials {trials}, neurons {size}, spikes {len(self.kappa)}{least}, ties {tied})"


@outside_transforms
def propagate(
    spikes: Spikes, w: Tensor, d: Tensor, tau_mem: Tensor, tau_syn: Tensor, v_th: Tensor | None = None,
    v_reset: Tensor | None = None, *, exists: Tensor | None = None, recurrent: bool = False,
    readout: str | None = None, bin_width: float | None = None,
) -> tuple[Spikes, Tensor | None, Record]:
    """One layer: exact spikes and voltage readout of neurons that receive `spikes`.

    Neurons are leaky integrate-and-fire (LIF), or leaky integrators (LI), which never spike;
    `propagate_neurons` takes any equations.

    Args:
        spikes: arriving spikes, of `pre` neurons.
        w, d: weights and delays (ms, at least 0), `[pre, post]`; their dtype, float32 or float64,
            is the precision computed in.
        tau_mem, tau_syn, v_th, v_reset: constants, `[post]`, times in ms; without `v_th` and
            `v_reset` the neurons are LI.
        recurrent: whether the neurons also receive their own spikes. `w`, `d` and `exists` then
            have one more row per neuron (or several, where two neurons are connected more than
            once). Any delay is exact; a loop whose delays are all 0 is not refused here.
        exists: `[pre, post]`, boolean: which synapses exist; None: all.
        readout: `max_voltage`, `mean_voltage`, `exp_weighted_voltage` or None.
        bin_width: ms; width of the bookkeeping bins, rounded down to a power of two. Results do not
            depend on it beyond rounding. None: time constants, sizes and delays choose it.

    Returns:
        The emitted spikes, the readout `[trials, post]` (None without one), and the record.

    Raises:
        SpecError: shapes, dtypes or values that the specification refuses; tensors on several
            devices.
        UnsupportedError: a device that is neither the CPU nor a GPU of CUDA; more bins, in a trial
            or a delay, than can be counted.
        ArithmeticError: a neuron spikes too fast, or without end; or, in the backward pass, the
            gradient of a spike is infinite.

    Gradients are exact (`spec/SPECIFICATION.md`, section 6; proofs in `derivations/`). They belong
    to the forward pass as it ran, also if tensors have been changed in place since. A second
    derivative is refused.
    """
    four = {"tau_mem": tau_mem, "tau_syn": tau_syn, "v_th": v_th, "v_reset": v_reset}
    constants = {name: tensor for name, tensor in four.items() if tensor is not None}
    check_pair(constants)
    return propagate_neurons(
        spikes, w, d, LIF if v_th is not None else LI, constants, exists=exists, recurrent=recurrent, readout=readout,
        bin_width=bin_width,
    )


@outside_transforms
def propagate_neurons(
    spikes: Spikes, w: Tensor, d: Tensor, neuron: Neuron, constants: Mapping[str, Tensor], *,
    exists: Tensor | None = None, into: Tensor | None = None, recurrent: bool = False, readout: str | None = None,
    bin_width: float | None = None,
) -> tuple[Spikes, Tensor | None, Record]:
    """`propagate` for neurons of any equations that `fast` runs.

    Args:
        constants: by name, `[post]` each; the gradient of each is exact.
        into: one whole number per row of `w`: the state that its spikes raise, as its place in
            `neuron.arrivals`; None: the first.
        readout: None, unless the equations are those of LIF or LI.

    Raises:
        SpecError: as `propagate`; constants that the equations do not name, or that make a neuron
            unstable.
        UnsupportedError: as `propagate`; equations that `fast` does not run (docs/limits.md), or a
            readout of them.
        ArithmeticError: as `propagate`.
    """
    emitted, y, record, _ = _propagated(
        spikes, w, d, neuron, constants, exists, into, recurrent, readout, bin_width=bin_width
    )
    return emitted, y, record


@outside_transforms
def propagate_on(
    spikes: Spikes, w: Tensor, d: Tensor, neuron: Neuron, constants: Mapping[str, Tensor], *,
    state: LayerState | None, exists: Tensor | None = None, into: Tensor | None = None, recurrent: bool = False,
    readout: str | None = None,
) -> tuple[Spikes, Tensor | None, Record, LayerState]:
    """`propagate_neurons` from a state on (None: at rest), with the state at `T`.

    A recording that is cut into windows has the spikes, the voltages and the gradients of the whole
    one, up to rounding, if each window begins with the state of the window before. Times count from
    the start of a window, and readouts are those of the window alone. What arrives at the very end
    of a window is part of the next one.

    Raises: as `propagate_neurons`; `SpecError`: a state of another layer or of other trials, or one
    that no neuron can have; `UnsupportedError`: a layer on a GPU.
    """
    emitted, y, record, at_end = _propagated(
        spikes, w, d, neuron, constants, exists, into, recurrent, readout, state=state, goes_on=True
    )
    assert at_end is not None
    return emitted, y, record, at_end


def _propagated(
    spikes: Spikes, w: Tensor, d: Tensor, neuron: Neuron, constants: Mapping[str, Tensor], exists: Tensor | None,
    into: Tensor | None, recurrent: bool, readout: str | None, *, bin_width: float | None = None,
    state: LayerState | None = None, goes_on: bool = False,
) -> tuple[Spikes, Tensor | None, Record, LayerState | None]:
    given = constants_of(neuron, constants, readout)
    check_arguments(spikes, w, d, given, exists, recurrent)
    if goes_on and on_gpu(w.device):
        raise UnsupportedError("state", "left out on a GPU", Verbatim("one"), "move the layer to the CPU")
    check_into(into, len(w), neuron)
    if neuron in (LIF, LI):
        check_lif(given)
    variables = (spikes.times, w, d, *given.values())
    times, w_now, d_now, *values = (tensor.detach() for tensor in variables)
    problem = Problem(
        times=times, offsets=spikes.offsets, trials=spikes.trials, sources=spikes.size, duration=spikes.duration,
        w=w_now, d=d_now, exists=exists, neuron=neuron, constants=tuple(values), readout=readout, into=into,
        goes_on=goes_on,
    )
    if state is not None:
        problem = replace(problem, start=start_of(state, problem))
    if problem.of_recording and not (problem.clock.last or problem.clock.end):
        raise SpecError("duration", "at least a tick", spikes.duration, "make the window longer")
    if bin_width is not None:
        most = min(1.0 / problem.matrices.fastest, spikes.duration) / 4
        if positive_number(bin_width, "bin_width", "ms") > most:
            expected = f"at most a quarter of the shortest time constant and of the trial, {most}"
            raise SpecError("bin_width", expected, bin_width, "leave it out")
        problem = replace(problem, bin_width=2.0 ** math.floor(math.log2(bin_width)))
    solved = _solver(w.device)(problem)
    x, before = (None, None) if state is None else (state.x, state.times)
    times_out, y, x_end = _Propagate.apply(solved, x, before, *variables)
    emitted = Spikes(times_out, solved.offsets, spikes.trials, w.shape[1], spikes.duration)
    outcomes = (solved.kappa, solved.ties, solved.dy_dT, solved.solved_bins)
    kappa, ties, dy_dT, solved_bins = (tensor.cpu().numpy() for tensor in outcomes)
    tick = solved.layer.ticks.tick * solved.width
    record = Record(kappa, ties, solved.spikes_at_end, dy_dT, solved_bins, problem, tick)
    if not goes_on:
        return emitted, y if readout else None, record, None
    all_times = torch.cat([*([] if before is None else [before]), spikes.times, times_out])
    return emitted, y if readout else None, record, state_of(solved, problem, x_end, all_times, len(w))


def _solver(device: torch.device) -> Callable[[Problem], Solved]:
    if not on_gpu(device):
        return cpu.solve
    from delayprop.fast.cuda import solver as cuda  # an optional dependency

    return cuda.solve


class _Propagate(torch.autograd.Function):
    """The outputs of a solved problem, joined to the input tensors of the problem."""

    @staticmethod
    def forward(
        ctx: Any, solved: Solved, x: Tensor | None, before: Tensor | None, *given: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.solved, ctx.variables = solved, (x, before, *given)
        ctx.dtypes, ctx.before = [tensor.dtype for tensor in given], 0 if before is None else len(before)
        ctx.save_for_backward(solved.times.new_empty(0))  # so that torch refuses a second backward pass
        # New tensors, since torch ties the graph to its outputs, and the graph keeps `solved`.
        x_end = solved.times.new_empty(0) if solved.state is None else solved.state.x.detach()
        return solved.times.detach(), solved.y.to(given[1].dtype, copy=True), x_end

    @staticmethod
    @differentiable_once
    def backward(ctx: Any, dL_dt_post: Tensor, dL_dy: Tensor, dL_dx: Tensor) -> tuple[Tensor | None, ...]:
        _, want_x, want_before, want_dt, _, _, *wanted = ctx.needs_input_grad
        names, order = ctx.solved.neuron.constants, ctx.solved.matrices.order
        found = ctx.solved.backward(
            dL_dt_post, dL_dy.double(), want_dt or want_before,
            [name for name, want in zip(names, wanted, strict=True) if want],
            None if ctx.solved.state is None else dL_dx,
        )
        t_in = None if found.t_in is None else found.t_in[ctx.before :]
        pairs = zip((t_in, found.w, found.d, *found.constants), ctx.dtypes, strict=True)
        by_x = torch.zeros_like(found.x).index_copy_(2, torch.tensor(order), found.x) if want_x else None
        by_before = found.t_in[: ctx.before] if want_before else None
        of_given = (None if gradient is None else gradient.to(dtype) for gradient, dtype in pairs)
        return None, by_x, by_before, *of_given
