"""The kernels over all neurons of a layer: in ranges, on threads.

The ranges do not depend on the number of threads, and each writes arrays of its own, so results are bitwise the same
for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from fast.backward import backward_range
from fast.bins import Clock, Trains
from fast.forward import NONE, Emitted, Layer, forward_range
from fast.readouts import SPIKE_AT_END, Maximum

RANGES = 8


class Kernels:
    """One layer over some trials.

    Attributes, after `forward`:
        offsets: `[trials * post + 1]`: where each train of the emitted spikes begins.
        emitted: the spikes, by (trial, neuron): bin, rest, and current at the crossing.
        y: the voltage readout, `[trials, post]`; 0 without one.
        ties: `[trials, post]`, bits as in `fast.readouts`.
    """

    def __init__(self, trains: Trains, trials: int, layer: Layer, at: Clock, integral_read: bool) -> None:
        self.trains, self.trials, self.layer, self.at = trains, trials, layer, at
        self.post, self.pre = layer.w.shape
        self.integral_read = integral_read
        edges = np.linspace(0, self.post, min(RANGES, self.post) + 1).astype(int)
        self.ranges = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))

    def forward(self) -> None:
        """Solve every neuron.

        Raises:
            ArithmeticError: a neuron spikes too fast, or without end.
        """
        shape = (self.trials, self.post)
        counts = np.zeros(shape, np.int64)
        self.y = np.zeros(shape)
        self.ties = np.zeros(shape, np.uint8)
        self.maxima = Maximum(
            V=np.zeros(shape),
            bin=np.full(shape, -1, np.int32),
            rest=np.zeros(shape, self.trains.rest.dtype),
            Vdot_plus=np.zeros(shape),
            group=np.zeros(shape, np.int64),
        )

        def solve(first: int, last: int) -> tuple[Emitted, int, int]:
            return forward_range(
                first, last, self.trains, self.trials, self.pre, self.layer, self.at, self.integral_read,
                counts, self.y, self.maxima, self.ties,
            )  # fmt: skip

        parts = _in_threads(solve, self.ranges)
        for _, _, stuck in parts:
            if stuck != NONE:
                raise ArithmeticError(f"neuron {stuck} of a layer spikes too fast, or without end; lower its weights")
        self.offsets = np.concatenate([[0], counts.ravel().cumsum()])
        self.emitted = Emitted(*(self._by_trial([part[n] for part, _, _ in parts], counts) for n in range(3)))

    def v_th_of_spikes(self) -> np.ndarray:
        """The threshold of the neuron of each spike."""
        return np.repeat(np.tile(self.layer.v_th, self.trials), np.diff(self.offsets))

    def sees_end(self) -> bool:
        """See `Record.sees_end`."""
        return self.integral_read or bool((self.ties & SPIKE_AT_END).any())

    def dy_dT(self) -> np.ndarray:
        """See `Record.dy_dT`."""
        at_end = (self.maxima.bin == self.at.last) & (self.maxima.rest == self.at.end) & (self.maxima.group == 0)
        return np.where(at_end, self.maxima.Vdot_plus, 0.0)

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
        """Gradients of input times (empty unless wanted), `w` and `d` `[post, pre]`, and the constants `[4, post]`.

        Args:
            dL_dt_post: by emitted spike.
            dL_dy: `[trials, post]`.
            want_dt, want_tau: whether those of input times, of time constants, are wanted.

        Raises:
            ArithmeticError: a spike's gradient is infinite.
        """
        if (self.emitted.I <= self.v_th_of_spikes()).any():
            remedy = "use float64, or `reference`"
            raise ArithmeticError(f"a spike grazes its threshold, so its gradient is infinite; {remedy}")
        dL_dw, dL_dd = np.zeros((self.post, self.pre)), np.zeros((self.post, self.pre))
        dL_dconstants = np.zeros((4, self.post))

        def solve(first: int, last: int) -> np.ndarray:
            """Every range adds to the times of all input spikes, so each has an array of its own."""
            dL_dt_pre = np.zeros(len(self.trains.rest) if want_dt else 0)
            backward_range(
                first, last, self.trains, self.trials, self.pre, self.layer, self.at, self.emitted, self.offsets,
                self.maxima, self.integral_read, dL_dt_post, dL_dy,
                dL_dw, dL_dd, dL_dt_pre, dL_dconstants, want_tau,
            )  # fmt: skip
            return dL_dt_pre

        return np.sum(_in_threads(solve, self.ranges), axis=0), dL_dw, dL_dd, dL_dconstants


def _in_threads(solve: Callable, ranges: list[tuple[int, int]]) -> list:
    """`solve(first, last)` of every range, in order, on as many threads as torch uses; the kernels release the GIL."""
    threads = min(torch.get_num_threads(), len(ranges))
    if threads <= 1:
        return [solve(*ends) for ends in ranges]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda ends: solve(*ends), ranges))
