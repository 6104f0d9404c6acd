"""The kernels over a whole layer on a GPU; to `fast.nn.autograd` the same as `fast.cpu.kernels`, with tensors for arrays.

The host waits for the GPU where it has to know a size: of the bins ahead and of the spikes under way; and of the spikes
that were emitted, which may be more than there was room for: then all is solved once more, with room for each.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fast.cuda import feed_forward, recurrent
from fast.cuda.packing import ArrivingThere, LayerThere, Sizes
from fast.cuda.workspace import some
from fast.physics.clock import SLOT, Clock
from fast.physics.neuron_record import (
    EQUAL_MAXIMA,
    INTEGRAL,
    MAX_BIN,
    MAX_GROUP,
    MAX_REST,
    MAX_SLOPE,
    MAX_V,
    RECENT_BIN,
    SIMULTANEOUS_AT_MAXIMUM,
    SPIKE_AT_END,
    TIES,
)
from fast.physics.polynomials import LANES


class CudaKernels:
    """One layer over some trials.

    Attributes, after `forward`:
        offsets: `[trials * post + 1]`: where each train of the emitted spikes begins.
        bin, rest, I: the emitted spikes, by (trial, neuron): instant, and current at the crossing.
        y: the voltage readout, `[trials, post]`; 0 without one.
        ties: `[trials, post]`, bits as in `fast.physics.within_bin`.
    """

    def __init__(self, arriving: ArrivingThere, trials: int, layer: LayerThere, clock: Clock, sizes: Sizes) -> None:
        self.trials, self.layer, self.post, self.clock, self.sizes = trials, layer, layer.post, clock, sizes
        self.arriving: ArrivingThere = type(arriving)(*map(some, arriving))
        self.spikes_in = arriving.bin.numel()

    def forward(self) -> None:
        """Solve every neuron.

        Raises:
            ArithmeticError: a neuron spikes too fast, or without end.
        """
        solve: Any = recurrent.forward if self.layer.copies else feed_forward.forward
        self.emitted, self.neuron_record = solve(self.arriving, self.trials, self.layer, self.clock, self.sizes)
        self.offsets, self.bin, self.rest, self.I = self.emitted.by_train()
        self._read()

    def _read(self) -> None:
        """The readout and the ties; the largest voltage of a neuron that spikes is its threshold, and no event."""
        neuron_record = self.neuron_record
        spiked = neuron_record[:, :, RECENT_BIN] >= 0
        neuron_record[:, :, MAX_BIN].masked_fill_(spiked, -1.0)
        ties = neuron_record[:, :, TIES].to(torch.uint8)
        ties |= SIMULTANEOUS_AT_MAXIMUM * (neuron_record[:, :, MAX_GROUP] > 1).to(torch.uint8)
        ties = torch.where(spiked, ties & (~(EQUAL_MAXIMA | SIMULTANEOUS_AT_MAXIMUM) & 0xFF), ties)
        self.ties, self.y = self._by_neuron(ties), neuron_record.new_zeros(self.trials, self.post)
        if self.layer.read_maximum:
            self.y = self._by_neuron(torch.where(spiked, self.layer.constants[:, 2], neuron_record[:, :, MAX_V]))
        elif self.layer.rate >= 0:
            self.y = self._by_neuron(neuron_record[:, :, INTEGRAL]) / (self.clock.last + float(self.clock.end))

    def _by_neuron(self, values: Tensor) -> Tensor:
        """`[trials, blocks, LANES]` as `[trials, post]`."""
        return values.reshape(self.trials, -1)[:, : self.post]

    def v_th_of_spikes(self) -> Tensor:
        """The threshold of the neuron of each spike."""
        v_th = self.layer.constants[:, 2].flatten()[: self.post].repeat(self.trials)
        return v_th.repeat_interleave(self.offsets.diff(), output_size=len(self.bin))

    def sees_end(self) -> bool:
        """See `Record.sees_end`."""
        return self.layer.rate >= 0 or bool((self.ties & SPIKE_AT_END).any())

    def dy_dT(self) -> Tensor:
        """See `Record.dy_dT`; here per bin."""
        neuron_record, clock = self.neuron_record, self.clock
        at_end = (neuron_record[:, :, MAX_BIN] == clock.last) & (neuron_record[:, :, MAX_REST] == float(clock.end))
        at_end &= neuron_record[:, :, MAX_GROUP] == 0
        return self._by_neuron(torch.where(at_end, neuron_record[:, :, MAX_SLOPE], 0.0))

    def backward(
        self, dL_dt_post: Tensor, dL_dy: Tensor, want_dt: bool, want_tau: bool
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Gradients of input times (empty unless wanted), `w` and `d` `[sources, post]`, and constants `[4, post]`.

        Args:
            dL_dt_post: by emitted spike.
            dL_dy: `[trials, post]`.
            want_dt, want_tau: whether those of input times, of time constants, are wanted.

        Raises:
            ArithmeticError: a spike's gradient is infinite.
        """
        if bool((self.I <= self.v_th_of_spikes()).any()):
            remedy = "use float64, or `reference`"
            raise ArithmeticError(f"a spike grazes its threshold, so its gradient is infinite; {remedy}")
        layer, blocks = self.layer, self.layer.packed_synapses.shape[0]
        g = self.neuron_record.new_zeros(self.trials, blocks * LANES)
        g[:, : self.post] = dL_dy
        g = g.reshape(self.trials, blocks, LANES)
        solve: Any = recurrent.backward if layer.copies else feed_forward.backward
        sums, dL_dt_pre, dL_dconstants = solve(
            self.arriving, self.spikes_in, self.emitted, dL_dt_post, g, self.neuron_record, layer, self.clock, want_dt, want_tau
        )
        if layer.read_maximum:
            dL_dconstants[:, 2] += torch.where(self.neuron_record[:, :, RECENT_BIN] >= 0, g, 0.0).sum(dim=0)
        w, ps = layer.packed_synapses[:, :, :LANES], layer.constants[:, None, 1]
        exists = layer.packed_synapses[:, :, LANES : 2 * LANES] < 2 * layer.slots * SLOT
        dL_dw = self._unpacked(torch.where(exists, -sums[:, :, :LANES] / ps, 0.0))
        dL_dd = self._unpacked(w * sums[:, :, LANES:])
        return dL_dt_pre, dL_dw, dL_dd, dL_dconstants.transpose(0, 1).reshape(4, -1)[:, : self.post]

    def _unpacked(self, packed_synapses: Tensor) -> Tensor:
        """`[blocks, sources, LANES]` as `[sources, post]`."""
        return packed_synapses.transpose(0, 1).reshape(packed_synapses.shape[1], -1)[:, : self.post]
