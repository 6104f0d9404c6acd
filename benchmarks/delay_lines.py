"""A network on a grid of 1 ms whose delays are learned, as the authors of DCLS make it.

The rival of `fast`, with its weights, delays and time constants; neurons are stepped as in
`yardstick`, with its surrogate derivative. Inputs are counts of spikes in bins. Outputs have no
delays. Layouts are `[neurons, bins, trials]`.

`Dcls` is the layer of the package, used as in their spiking networks (Hammouamri et al., ICLR
2024): one Gaussian per synapse, whose place is learned and whose width is not. The kernel of all
bins of all synapses is made anew in each step, and convolved: all bins, also those without spikes.
A delay line in bins, compiled, was measured once (commit 0684fa01).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from benchmarks.workloads import Link, Workload
from benchmarks.yardstick import stepped
from delayprop.fast import cross_entropy
from delayprop.fast.nn.traces import neurons_of
from delayprop.spec.errors import SpecError, Verbatim

WIDTH = 0.23  # of a Gaussian, bins: that at the end of training; the package adds 0.27


class Dcls(nn.Module):
    """The synapses of one connection, with delays of 0 to `longest` bins, as a layer of DCLS."""

    def __init__(self, link: Link, longest: int) -> None:
        super().__init__()
        from DCLS.construct.modules import Dcls1d

        (pre, post), bins, self.longest = link.w.shape, longest + 1, longest
        self.layer = Dcls1d(pre, post, kernel_count=1, dilated_kernel_size=bins, bias=False, version="gauss")
        with torch.no_grad():
            self.layer.weight.copy_(link.w.T[:, :, None])
            self.layer.P.copy_(longest - bins // 2 - link.delays.T[None, :, :, None])  # 0 is the middle
            self.layer.SIG.fill_(WIDTH)
        self.layer.SIG.requires_grad_(False)

    def forward(self, spikes: Tensor) -> Tensor:
        arriving: Tensor = self.layer(pad(spikes.permute(2, 0, 1), (self.longest, 0)))
        return arriving.permute(1, 2, 0)


class Rival(nn.Module):
    """A feed-forward workload on a grid of 1 ms."""

    def __init__(self, workload: Workload) -> None:
        super().__init__()
        *hidden, out = workload.model.links()
        self.synapses = nn.ModuleList(Dcls(link, round(workload.sizes.max_delay)) for link in hidden)
        self.w = nn.Parameter(out.w.detach().clone())
        self.counts, self.labels = binned(workload), workload.labels
        self.spikes_seen: list[float] = []  # of each hidden layer

    def forward(self) -> Tensor:
        """The loss."""
        spikes, self.spikes_seen = self.counts, []
        for synapses in self.synapses:
            spikes = stepped(synapses(spikes).transpose(0, 1).contiguous(), 1.0, spiking=True).transpose(0, 1)
            self.spikes_seen.append(float(spikes.detach().sum()))
        arriving = torch.einsum("ikb,ij->kbj", spikes, self.w)
        return cross_entropy(stepped(arriving, 1.0, spiking=False).amax(dim=0).clamp(min=0.0), self.labels)


def binned(workload: Workload) -> Tensor:
    """The input spikes per neuron, bin of 1 ms and trial."""
    sizes, spikes = workload.sizes, workload.spikes
    bins = max(1, round(sizes.duration))
    trials = torch.arange(sizes.batch).repeat_interleave(spikes.counts().sum(dim=1))
    when = spikes.times.detach().long().clamp(max=bins - 1)
    where = (torch.from_numpy(neurons_of(spikes)) * bins + when) * sizes.batch + trials
    counts = torch.bincount(where, minlength=sizes.inputs * bins * sizes.batch)
    return counts.view(sizes.inputs, bins, sizes.batch).to(workload.model.links()[0].w.dtype)


def check_installed() -> None:
    """`SpecError`: the package is not here."""
    try:
        import DCLS.construct.modules  # noqa: F401
    except ImportError:
        remedy = "pip install '.[dcls]' of the checkout"
        raise SpecError("dcls", "an installed package", Verbatim("none of this name"), remedy) from None
