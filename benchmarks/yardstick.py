"""The usual alternative: the network on a time grid in torch, with backpropagation through time.

Neurons are stepped by `dt` with a surrogate derivative (arctangent). A delay is a place between
two bins, and a spike reaches both bins in proportion, so delays are learnable. Input spikes need no
gradient: each of their arrivals is added directly to its two bins. From hidden neurons every bin
may carry a gradient: there the synapses are a convolution with a kernel of two bins per synapse.
Outputs are read by their largest voltage, also for `yin-yang`, since a time on a grid has no
derivative.

Spikes and gradients are approximate. This module shares no code with the kernels of `fast`.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, pad

from benchmarks.step import timed
from benchmarks.workloads import Workload
from delayprop.fast import cross_entropy
from delayprop.fast.nn.traces import neurons_of

DT = {"yin-yang": 0.1}  # ms; all others: 1
REPEATS = 3  # at most
TAU_MEM, TAU_SYN = 20.0, 5.0  # ms
STEEPNESS = 5.0  # of the surrogate, per threshold
MOST_FLOATS = 4e8  # kept by a step for its backward pass; trials beyond it do not run
KEPT_A_STEP, KEPT_AN_ARRIVAL = 20, 8  # floats per neuron and step, input arrival


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, above: Tensor) -> Tensor:
        ctx.save_for_backward(above)
        return (above > 0).to(above.dtype)

    @staticmethod
    def backward(ctx: Any, dL_dspike: Tensor) -> Tensor:
        (above,) = ctx.saved_tensors
        return dL_dspike * (STEEPNESS / 2) / (1 + (math.pi / 2 * STEEPNESS * above) ** 2)


def stepped(arriving: Tensor, dt: float, spiking: bool) -> Tensor:
    """Spikes, or voltages if not spiking, from the weights that arrive in each bin of `dt` ms; both
    `[bins, ...]`, with trials and neurons in any order."""
    alpha, beta = math.exp(-dt / TAU_SYN), math.exp(-dt / TAU_MEM)
    gain = TAU_SYN / (TAU_SYN - TAU_MEM) * (alpha - beta)  # exact for arrivals on the grid
    V = I = arriving.new_zeros(arriving.shape[1:])
    found = []
    for now in arriving:
        V = beta * V + gain * I
        I = alpha * I + now
        found.append(_Spike.apply(V - 1.0) if spiking else V)
        if spiking:
            V = V * (1 - found[-1])
    return torch.stack(found)


class Grid(nn.Module):
    """A feed-forward network on a grid of `dt` ms, with copies of its weights and delays."""

    def __init__(self, workload: Workload, dt: float) -> None:
        super().__init__()
        self.dt, self.steps = dt, max(1, math.ceil(workload.spikes.duration / dt))
        self.w = nn.ParameterList(link.w.detach().clone() for link in workload.model.links())
        self.d = nn.ParameterList(link.delays.clone() for link in workload.model.links())
        self.spikes_seen = 0.0

    def forward(self, times: Tensor, trials: Tensor, neurons: Tensor, batch: int) -> Tensor:
        """The readout `[batch, outputs]`, from time, trial and neuron of every input spike."""
        spikes = stepped(self._scattered(times, trials, neurons, batch), self.dt, spiking=True)
        self.spikes_seen = float(spikes.detach().sum())
        kernel = self._kernel()
        arriving = conv1d(pad(spikes.permute(1, 2, 0), (len(kernel) - 1, 0)), kernel.flip(0).permute(2, 1, 0))
        return stepped(arriving.permute(2, 0, 1), self.dt, spiking=False).amax(dim=0).clamp(min=0.0)

    def _scattered(self, times: Tensor, trials: Tensor, neurons: Tensor, batch: int) -> Tensor:
        """The weights that arrive in each bin, `[steps, batch, post]`, within the trial."""
        w, place = self.w[0].index_select(0, neurons), (times[:, None] + self.d[0].index_select(0, neurons)) / self.dt
        low = place.detach().floor().clamp(max=self.steps)
        share, post = place - low, w.shape[1]
        bins = (low.long() * batch + trials[:, None]) * post + torch.arange(post, device=w.device)
        total = w.new_zeros((self.steps + 2) * batch * post)
        total = total.index_add(0, bins.flatten(), (w * (1 - share)).flatten())
        total = total.index_add(0, (bins + batch * post).flatten(), (w * share).flatten())
        return total.view(self.steps + 2, batch, post)[: self.steps]

    def _kernel(self) -> Tensor:
        """The synapses onto the outputs as `[bins, pre, post]`, each spread over two bins."""
        w, place = self.w[1], self.d[1] / self.dt
        low = place.detach().floor()
        share, bins = place - low, low.long()[None]
        kernel = w.new_zeros(int(low.max()) + 2, *w.shape)
        return kernel.scatter(0, bins, (w * (1 - share))[None]).scatter_add(0, bins + 1, (w * share)[None])


def yardstick(workload: Workload, repeats: int) -> dict:
    """Time the step of a feed-forward workload on a grid; a JSON object. Times (s) are measured on
    `trials_run` trials, as many as `MOST_FLOATS` allows, and scaled to all."""
    sizes, dt = workload.sizes, DT.get(workload.sizes.workload, 1.0)
    steps, neurons = sizes.duration / dt, sizes.hidden + sizes.outputs
    kept = KEPT_A_STEP * steps * neurons + KEPT_AN_ARRIVAL * sizes.spikes * sizes.hidden
    trials = min(sizes.batch, max(1, int(MOST_FLOATS / kept)))
    few = workload.of_trials(trials)
    grid = Grid(few, dt)
    device = grid.w[0].device
    counts = few.spikes.counts().sum(dim=1)
    times = few.spikes.times.to(grid.w[0].dtype)
    given = (times, torch.arange(trials, device=device).repeat_interleave(counts),
             torch.from_numpy(neurons_of(few.spikes)).to(device), trials)
    repeats, scale = min(repeats, REPEATS), sizes.batch / trials
    found = timed(grid, lambda: cross_entropy(grid(*given), few.labels), repeats)
    return {
        "what": "time grid in torch: surrogate derivative, backpropagation in time", "approximate": True, "dt_ms": dt,
        "dtype": sizes.dtype, "trials_run": trials, "trials": sizes.batch, "scaled_by": scale,
        "repeats": repeats, "seconds_run": found.step, "seconds": found.step * scale,
        "seconds_forward": found.forward * scale, "seconds_backward": found.backward * scale,
        "hidden_spikes_per_trial": grid.spikes_seen / (trials * sizes.hidden),
    }
