"""Spikes in, spikes and readout out: one layer as a `torch.autograd.Function` around the kernels.

The kernels work on ranges of neurons. The ranges do not depend on the number of threads, and each writes arrays of its
own, so results are bitwise the same for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from fast import bins
from fast.backward import backward_range
from fast.forward import SPIKE_AT_END, STUCK, Layer, Maximum, forward_range
from fast.forward import Spikes as Emitted
from fast.spikes import Spikes
from spec import VOLTAGE_READOUTS, SpecError, UnsupportedError
from spec.checks import one_of
from spec.errors import Verbatim

RANGES = 8


@dataclass
class Record:
    """What a layer did, besides its differentiable outputs; arrays are numpy.

    Attributes:
        kappa: conditioning `(tau_mem Vdot_minus / v_th)^2` of every spike, in the order of the spikes.
        ties: `[trials, size]`, bits as in `fast.forward`.
        sees_end: whether the outputs know where the trial ends: through an integral of the voltage, or a spike or a
            maximum exactly at `T`. A shift of time is no symmetry then.
    """

    kappa: np.ndarray
    ties: np.ndarray
    sees_end: bool


@dataclass
class _Problem:
    """What the autograd function needs besides tensors, and what its forward pass leaves for later."""

    spikes: Spikes
    exists: Tensor | None
    readout: str | None
    spiking: bool
    bin_width: float | None
    offsets: Tensor | None = None
    record: Record | None = None
    kernels: Any = field(default=None, repr=False)


def propagate(
    spikes: Spikes,
    w: Tensor,
    d: Tensor,
    tau_mem: Tensor,
    tau_syn: Tensor,
    v_th: Tensor | None = None,
    v_reset: Tensor | None = None,
    *,
    exists: Tensor | None = None,
    readout: str | None = None,
    bin_width: float | None = None,
) -> tuple[Spikes, Tensor | None, Record]:
    """One layer: exact spikes and voltage readout of neurons that receive `spikes`.

    Args:
        spikes: what arrives, from `pre` neurons.
        w, d: weights and delays (ms, at least 0), `[pre, post]`; float32 or float64, which is what is computed in.
        tau_mem, tau_syn, v_th, v_reset: constants, `[post]`; both of the latter None: an LI layer, which never spikes.
        exists: `[pre, post]`, boolean: where a synapse is; None: everywhere.
        readout: `max_voltage`, `mean_voltage`, `exp_weighted_voltage` or None.
        bin_width: ms; width of the bookkeeping bins. Results do not depend on it beyond rounding.

    Returns:
        The emitted spikes, the readout `[trials, post]` (None without one), and the record of kappa and ties.

    Raises:
        SpecError: shapes, dtypes or values that the specification refuses.
        UnsupportedError: tensors that are not on the CPU.
        ArithmeticError: a neuron spikes faster than the arithmetic resolves; or, in the backward pass, a spike's
            gradient is infinite.

    All gradients are those of DESIGN's adjoint (`spec/SPECIFICATION.md`, section 6; proofs in `derivations/`).
    Differentiating twice is refused by torch.
    """
    if readout is not None:
        one_of(readout, "readout", VOLTAGE_READOUTS)
    _check(spikes, w, d, tau_mem, tau_syn, v_th, v_reset, exists)
    post = w.shape[1]
    spiking = v_th is not None
    if v_th is None or v_reset is None:
        v_th, v_reset = w.new_full((post,), torch.inf), w.new_zeros(post)
    problem = _Problem(spikes, exists, readout, spiking, bin_width)
    times, y = _Propagate.apply(problem, spikes.times, w, d, tau_mem, tau_syn, v_th, v_reset)
    assert problem.offsets is not None and problem.record is not None
    emitted = Spikes(times, problem.offsets, spikes.trials, post, spikes.duration)
    return emitted, y if readout else None, problem.record


class _Propagate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, problem: _Problem, t_in: Tensor, w: Tensor, d: Tensor, *constants: Tensor
    ) -> tuple[Tensor, Tensor]:
        dtype = np.float32 if w.dtype == torch.float32 else np.float64
        tau_mem, tau_syn, v_th, v_reset = (c.detach().double().numpy() for c in constants)
        shortest = float(min(tau_mem.min(), tau_syn.min()))
        width = bins.width(shortest, problem.spikes.duration) if problem.bin_width is None else problem.bin_width
        at = bins.clock(width, problem.spikes.duration, dtype)
        trains = bins.Trains(problem.spikes.offsets.numpy(), *bins.split(t_in.detach().numpy(), at, dtype))
        delay = bins.split(d.detach().double().t().contiguous().numpy(), at, dtype)
        exists = torch.ones_like(w, dtype=torch.uint8) if problem.exists is None else problem.exists.to(torch.uint8)
        rate = 1.0 / problem.spikes.duration if problem.readout == "exp_weighted_voltage" else 0.0
        layer = Layer(
            w.detach().t().contiguous().numpy(), exists.t().contiguous().numpy(), *delay,
            tau_mem, tau_syn, v_th, v_reset, rate, problem.readout == "max_voltage",
        )  # fmt: skip
        kernels = _Kernels(trains, layer, at, problem, dtype)
        kernels.forward()
        problem.kernels, problem.offsets = kernels, torch.from_numpy(kernels.offsets)
        v_th_of_spikes = kernels.v_th_of_spikes()
        kappa = ((kernels.emitted.I - v_th_of_spikes) / v_th_of_spikes) ** 2
        problem.record = Record(kappa, kernels.ties, kernels.sees_end())
        ctx.kernels, ctx.dtypes = kernels, (w.dtype, d.dtype, *(c.dtype for c in constants))
        times = kernels.emitted.bin * width + kernels.emitted.rest.astype(np.float64)
        return torch.from_numpy(times), torch.from_numpy(kernels.y)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dL_dt_post: Tensor, dL_dy: Tensor) -> tuple[Tensor | None, ...]:
        _, want_dt, _, _, want_tau_mem, want_tau_syn, _, _ = ctx.needs_input_grad
        dL_dt_pre, dL_dw, dL_dd, dL_dconstants = ctx.kernels.backward(
            dL_dt_post.contiguous().numpy(), dL_dy.contiguous().numpy(), want_dt, want_tau_mem or want_tau_syn
        )
        found = [torch.from_numpy(dL_dw).t(), torch.from_numpy(dL_dd).t(), *torch.from_numpy(dL_dconstants)]
        gradients = [g.to(dtype) for g, dtype in zip(found, ctx.dtypes, strict=True)]
        return None, torch.from_numpy(dL_dt_pre) if want_dt else None, *gradients


class _Kernels:
    """The kernels over all neurons of a layer, in ranges."""

    def __init__(self, trains: bins.Trains, layer: Layer, at: bins.Clock, problem: _Problem, dtype: type) -> None:
        self.trains, self.layer, self.at, self.dtype = trains, layer, at, dtype
        self.trials = problem.spikes.trials
        self.post, self.pre = layer.w.shape
        self.integral_read = problem.readout in ("mean_voltage", "exp_weighted_voltage")
        edges = np.linspace(0, self.post, min(RANGES, self.post) + 1).astype(int)
        self.ranges = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))

    def forward(self) -> None:
        shape = (self.trials, self.post)
        counts = np.zeros(shape, np.int64)
        self.y, self.integral_I = np.zeros(shape), np.zeros(shape)
        self.ties = np.zeros(shape, np.uint8)
        self.maxima = Maximum(
            np.zeros((0, 0)), np.full(shape, -1, np.int32), np.zeros(shape, self.dtype), np.full(shape, np.nan),
            np.zeros((0, 0), np.int64),
        )  # fmt: skip

        def solve(number: int, first: int, last: int) -> tuple[Emitted, int]:
            return forward_range(
                first, last, self.trains, self.trials, self.pre, self.layer, self.at, self.integral_read,
                counts, self.y, self.integral_I, self.maxima, self.ties,
            )  # fmt: skip

        parts = _in_threads(solve, self.ranges)
        if any(number == STUCK for _, number in parts):
            raise ArithmeticError("a neuron spikes faster than this precision resolves; lower its weights")
        self.offsets = np.concatenate([[0], counts.ravel().cumsum()])
        self.emitted = Emitted(*(self._by_trial([p[n] for p, _ in parts], counts) for n in range(3)))

    def v_th_of_spikes(self) -> np.ndarray:
        """The threshold of the neuron of each spike."""
        return np.repeat(np.tile(self.layer.v_th, self.trials), np.diff(self.offsets))

    def sees_end(self) -> bool:
        """See `Record.sees_end`."""
        maximum = (self.maxima.bin == self.at.last) & (self.maxima.rest == self.at.end)
        return self.integral_read or bool(maximum.any()) or bool((self.ties & SPIKE_AT_END).any())

    def _by_trial(self, parts: list[np.ndarray], counts: np.ndarray) -> np.ndarray:
        """Spikes of all ranges, from the kernels' order (neuron, trial) to (trial, neuron)."""
        by_neuron = np.concatenate(
            [part[: counts[:, first:last].sum()] for part, (first, last) in zip(parts, self.ranges, strict=True)]
        )
        starts = np.concatenate([[0], counts.T.ravel().cumsum()])[:-1].reshape(counts.T.shape).T.ravel()
        lengths = counts.ravel()
        index = np.repeat(starts - self.offsets[:-1], lengths) + np.arange(len(by_neuron))
        return by_neuron[index]

    def backward(
        self, dL_dt_post: np.ndarray, dL_dy: np.ndarray, want_dt: bool, want_tau: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        if (self.emitted.I <= self.v_th_of_spikes()).any():
            remedy = "use float64, or `reference`"
            raise ArithmeticError(f"a spike grazes its threshold, so its gradient is infinite; {remedy}")
        dL_dw, dL_dd = np.zeros((self.post, self.pre)), np.zeros((self.post, self.pre))
        dL_dconstants = np.zeros((4, self.post))
        n_spikes = len(self.trains.rest) if want_dt else 0
        dL_dt_pre = np.zeros((len(self.ranges), n_spikes))

        def solve(number: int, first: int, last: int) -> None:
            backward_range(
                first, last, self.trains, self.trials, self.pre, self.layer, self.at, self.emitted, self.offsets,
                self.maxima, self.integral_read, self.integral_I, self.y,
                dL_dt_post, dL_dy, dL_dw, dL_dd, dL_dt_pre[number], dL_dconstants, want_tau,
            )  # fmt: skip

        _in_threads(solve, self.ranges)
        return dL_dt_pre.sum(axis=0), dL_dw, dL_dd, dL_dconstants


def _in_threads(solve: Callable, ranges: list[tuple[int, int]]) -> list:
    """`solve(number, first, last)` for every range, on as many threads as torch uses; the kernels release the GIL."""
    work = [(number, first, last) for number, (first, last) in enumerate(ranges)]
    threads = min(torch.get_num_threads(), len(work))
    if threads <= 1:
        return [solve(*arguments) for arguments in work]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda arguments: solve(*arguments), work))


def _check(
    spikes: Spikes,
    w: Tensor,
    d: Tensor,
    tau_mem: Tensor,
    tau_syn: Tensor,
    v_th: Tensor | None,
    v_reset: Tensor | None,
    exists: Tensor | None,
) -> None:
    named = {"w": w, "d": d, "tau_mem": tau_mem, "tau_syn": tau_syn, "v_th": v_th, "v_reset": v_reset}
    if w.ndim != 2 or w.shape[0] != spikes.size:
        expected = f"of shape [pre, post] with pre = {spikes.size}, the number of neurons that spike"
        raise SpecError("w", expected, Verbatim(list(w.shape)), "one row a source neuron")
    if (v_th is None) != (v_reset is None):
        remedy = "give both, or none for LI neurons"
        raise SpecError("v_reset", "given together with `v_th`", Verbatim("one of them"), remedy)
    for name, tensor in named.items():
        if tensor is None:
            continue
        if tensor.device.type != "cpu":
            raise UnsupportedError(name, "on the CPU", Verbatim(tensor.device), "CUDA is not offered yet; use `.cpu()`")
        shape = tuple(w.shape) if name in ("w", "d") else (w.shape[1],)
        if tuple(tensor.shape) != shape:
            raise SpecError(name, f"of shape {list(shape)}", Verbatim(list(tensor.shape)), "`w` is [pre, post]")
        if tensor.dtype not in (torch.float32, torch.float64):
            raise SpecError(name, "float32 or float64", Verbatim(tensor.dtype), "convert it with `.to(dtype)`")
        if not bool(torch.isfinite(tensor).all()):
            got = Verbatim(f"{int((~torch.isfinite(tensor)).sum())} NaN or infinite entries")
            raise SpecError(name, "finite", got, "look for the step that made them")
    if d.dtype != w.dtype:
        raise SpecError("d", f"of the dtype of `w`, {w.dtype}", Verbatim(d.dtype), "convert it with `.to(dtype)`")
    if bool((d < 0).any()):
        remedy = "project delays after each optimiser step, as `layer.project_()` does"
        raise SpecError("d", "at least 0 (ms)", float(d.min()), remedy)
    for name in ("tau_mem", "tau_syn", "v_th"):
        tensor = named[name]
        if tensor is not None and bool((tensor <= 0).any()):
            raise SpecError(name, "above 0", float(tensor.min()), "constants are positive")
    if v_th is not None and v_reset is not None and bool((v_reset >= v_th).any()):
        raise SpecError("v_reset", "below `v_th`", float(v_reset.max()), "lower it")
    if exists is not None and (exists.dtype != torch.bool or exists.shape != w.shape):
        got = Verbatim(f"{exists.dtype} {list(exists.shape)}")
        raise SpecError("exists", f"boolean, of shape {list(w.shape)}", got, "True where a synapse is")
