"""One layer for torch: spikes in; spikes and readout out, joined to the autograd graph."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from delayprop.fast.cpu import solver as cpu
from delayprop.fast.nn.autograd_guards import differentiable_once, outside_transforms
from delayprop.fast.nn.devices import check_tensors, on_gpu
from delayprop.fast.nn.joining import check_spikes
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.solving.problem import Problem
from delayprop.fast.solving.solved import Solved
from delayprop.spec import VOLTAGE_READOUTS, SpecError
from delayprop.spec.checks import one_of, positive_number
from delayprop.spec.errors import Verbatim


@dataclass(frozen=True, eq=False)
class Record:
    """Results of a layer besides its differentiable outputs, as NumPy arrays.

    Attributes:
        kappa: `[n]`: conditioning `(tau_mem Vdot_minus / v_th)^2` of each spike, in the order of
            the spikes.
        ties: `[trials, size]`, bits as in `fast.layout.neuron_record`.
        spikes_at_end: whether a neuron spikes exactly at `T`, so that gradients are one-sided.
        dy_dT: `[trials, size]`: of a largest voltage, its derivative by `T`: its slope if it is
            reached there.
        solved_bins: `[trials, size]`: number of bins in which a bound could not exclude a spike, a
            tie or a new largest voltage, so that the neuron was solved event by event.
        integrated: the problem, as it was solved, if an integral of the voltage is read.
    """

    kappa: np.ndarray
    ties: np.ndarray
    spikes_at_end: bool
    dy_dT: np.ndarray
    solved_bins: np.ndarray
    integrated: Problem | None

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
            Record(self.kappa[of_spikes == n], ties[n], self.spikes_at_end, dy_dT[n], solved[n], self.integrated)
            for n in range(len(sizes))
        ]

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

    Neurons are leaky integrate-and-fire (LIF), or leaky integrators (LI), which never spike.

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
            depend on it beyond rounding.

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
    if readout is not None:
        one_of(readout, "readout", VOLTAGE_READOUTS)
    _check(
        spikes, {"w": w, "d": d, "tau_mem": tau_mem, "tau_syn": tau_syn, "v_th": v_th, "v_reset": v_reset}, exists,
        recurrent,
    )
    if bin_width is not None:
        most = min(float(torch.minimum(tau_mem, tau_syn).detach().min()), spikes.duration) / 4
        if positive_number(bin_width, "bin_width", "ms") > most:
            expected = f"at most a quarter of the shortest time constant and of the trial, {most}"
            raise SpecError("bin_width", expected, bin_width, "leave it out")
        bin_width = 2.0 ** math.floor(math.log2(bin_width))
    if v_th is None or v_reset is None:
        v_th, v_reset = torch.full_like(tau_mem, torch.inf), torch.zeros_like(tau_mem)
    given = (spikes.times, w, d, tau_mem, tau_syn, v_th, v_reset)
    times, w_now, d_now, *constants = (tensor.detach() for tensor in given)
    problem = Problem(
        times=times, offsets=spikes.offsets, trials=spikes.trials, sources=spikes.size, duration=spikes.duration,
        w=w_now, d=d_now, exists=exists, constants=tuple(constants), readout=readout, bin_width=bin_width,
    )
    solved = _solver(w.device)(problem)
    times_out, y = _Propagate.apply(solved, *given)
    emitted = Spikes(times_out, solved.offsets, spikes.trials, w.shape[1], spikes.duration)
    outcomes = (solved.kappa, solved.ties, solved.dy_dT, solved.solved_bins)
    kappa, ties, dy_dT, solved_bins = (tensor.cpu().numpy() for tensor in outcomes)
    integrated = problem if problem.rate >= 0 else None
    return emitted, y if readout else None, Record(kappa, ties, solved.spikes_at_end, dy_dT, solved_bins, integrated)


def _solver(device: torch.device) -> Callable[[Problem], Solved]:
    if not on_gpu(device):
        return cpu.solve
    from delayprop.fast.cuda import solver as cuda  # an optional dependency

    return cuda.solve


class _Propagate(torch.autograd.Function):
    """The outputs of a solved problem, joined to the input tensors of the problem."""

    @staticmethod
    def forward(ctx: Any, solved: Solved, *given: Tensor) -> tuple[Tensor, Tensor]:
        ctx.solved, ctx.variables, ctx.dtypes = solved, given, [tensor.dtype for tensor in given]
        # New tensors, since torch ties the graph to its outputs, and the graph keeps `solved`.
        return solved.times.detach(), solved.y.to(given[1].dtype, copy=True)

    @staticmethod
    @differentiable_once
    def backward(ctx: Any, dL_dt_post: Tensor, dL_dy: Tensor) -> tuple[Tensor | None, ...]:
        _, want_dt, _, _, want_tau_mem, want_tau_syn, _, _ = ctx.needs_input_grad
        found = ctx.solved.backward(dL_dt_post, dL_dy.double(), want_dt, want_tau_mem or want_tau_syn)
        pairs = zip(found, ctx.dtypes, strict=True)
        return None, *(None if gradient is None else gradient.to(dtype) for gradient, dtype in pairs)


def _check(spikes: Spikes, named: dict[str, Tensor | None], exists: Tensor | None, recurrent: bool) -> None:
    given = {name: tensor for name, tensor in named.items() if tensor is not None}
    w, d = given["w"], given["d"]
    check_spikes(spikes)
    spikes.check()
    if w.ndim == 2 and w.shape[1] == 0:
        raise SpecError("w", "of shape [pre, post] with at least one neuron", Verbatim(list(w.shape)), "give a neuron")
    check_tensors({**given, "exists": exists, "spikes.times": spikes.times, "spikes.offsets": spikes.offsets})
    own = w.shape[0] - spikes.size if w.ndim == 2 and recurrent else 0
    if own < 0 or (own and own % w.shape[1]) or (recurrent and not own):
        expected = f"of shape [pre + post, post] with pre = {spikes.size}, the number of neurons outside the layer"
        raise SpecError("w", expected, Verbatim(list(w.shape)), "add one row per neuron of a recurrent layer")
    if w.ndim != 2 or w.shape[0] != spikes.size + own:
        expected = f"of shape [pre, post] with pre = {spikes.size}, the number of neurons in `spikes`"
        raise SpecError("w", expected, Verbatim(list(w.shape)), "one row per source neuron")
    if ("v_th" in given) != ("v_reset" in given):
        missing, other = ("v_reset", "v_th") if "v_th" in given else ("v_th", "v_reset")
        raise SpecError(missing, "", f"is missing, and `{other}` is given", "give both, or none for LI neurons")
    for name, tensor in given.items():
        shape = tuple(w.shape) if name in ("w", "d") else (w.shape[1],)
        if tuple(tensor.shape) != shape:
            raise SpecError(name, f"of shape {list(shape)}", Verbatim(list(tensor.shape)), "`w` is [pre, post]")
        if tensor.dtype not in (torch.float32, torch.float64):
            raise SpecError(name, "float32 or float64", Verbatim(tensor.dtype), "convert it with `.to(dtype)`")
    if d.dtype != w.dtype:
        raise SpecError("d", f"of the dtype of `w`, {w.dtype}", Verbatim(d.dtype), "convert it with `.to(dtype)`")
    if exists is not None and (exists.dtype != torch.bool or exists.shape != w.shape):
        got = Verbatim(f"{exists.dtype} {list(exists.shape)}")
        raise SpecError("exists", f"boolean, of shape {list(w.shape)}", got, "give True where a synapse exists")
    _check_values({name: tensor.detach() for name, tensor in given.items()})


def _check_values(given: dict[str, Tensor]) -> None:
    positive = [name for name in ("tau_mem", "tau_syn", "v_th") if name in given]
    # An extreme is NaN where an entry is; the host waits for a GPU once.
    filled = [name for name, tensor in given.items() if tensor.numel()]
    found = [end.double() for name in filled for end in torch.aminmax(given[name])]
    found.append((given["v_reset"] >= given["v_th"]).any().double() if "v_th" in given else torch.zeros_like(found[0]))
    *ends, reset_too_high = torch.stack(found).tolist()
    least = dict(zip(filled, ends[::2], strict=True))
    finite = all(map(math.isfinite, ends))
    if finite and least.get("d", 0.0) >= 0 and all(least[name] > 0 for name in positive) and not reset_too_high:
        return
    for name, tensor in given.items():
        if not bool(torch.isfinite(tensor).all()):
            got = Verbatim(f"{int((~torch.isfinite(tensor)).sum())} NaN or infinite entries")
            raise SpecError(name, "finite", got, "look for the step that made them")
    if bool((given["d"] < 0).any()):
        remedy = "project delays after each optimiser step, as `layer.project_()` does"
        raise SpecError("d", "at least 0 (ms)", float(given["d"].min()), remedy)
    for name in positive:
        if bool((given[name] <= 0).any()):
            raise SpecError(name, "above 0", float(given[name].min()), "constants are positive")
    j = int((given["v_reset"] >= given["v_th"]).nonzero()[0])
    bound, reset = float(given["v_th"][j]), float(given["v_reset"][j])
    raise SpecError(f"v_reset[{j}]", f"below `v_th`, {bound}", reset, "lower it")
