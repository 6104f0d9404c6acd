"""Two networks on a grid of 1 ms whose delays are learned: DCLS, and a compiled delay line.

Both are rivals of `fast`, with its weights, delays and time constants; neurons are stepped as in
`yardstick`, with its surrogate derivative. Inputs are counts of spikes in bins. Outputs have no
delays. Layouts are `[neurons, bins, trials]`.

`Dcls` is the layer of the package of its authors, used as in their spiking networks (Hammouamri et
al., ICLR 2024): one Gaussian per synapse, whose place is learned and whose width is not. The kernel
of all bins of all synapses is made anew in each step, and convolved.

`Line` keeps the spikes of the longest delay, and each synapse reads them at its delay, between two
bins. The weakness of the first form is absent: a synapse reads two bins, however long the delay.
The sum over inputs is one loop that `torch.compile` makes; without it, each product of a synapse
with each bin would be stored. The weakness of both: they take all bins, also those without spikes.
"""

import os
import shutil
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from benchmarks.workloads import Link, Workload
from benchmarks.yardstick import stepped
from delayprop.fast import cross_entropy
from delayprop.fast.nn.traces import neurons_of
from delayprop.spec.errors import SpecError, Verbatim

WIDTH = 0.23  # of a Gaussian, bins: that at the end of training; the package adds 0.27
MOST = 127  # spikes of an input in a bin, which a delay line holds in 8 bits


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


class Line(nn.Module):
    """The synapses of one connection, with delays of 0 to `longest` bins, as a delay line."""

    def __init__(self, link: Link, longest: int) -> None:
        super().__init__()
        self.w, self.d = (nn.Parameter(x.detach().T.contiguous()) for x in (link.w, link.delays))  # [post, pre]
        self.longest = longest

    def forward(self, spikes: Tensor) -> Tensor:
        arriving: Tensor = _Read.apply(spikes, self.w, self.d, self.longest)
        return arriving


class _Read(torch.autograd.Function):
    """The weights that arrive in each bin, `[post, bins, trials]`; only the line is kept."""

    @staticmethod
    def forward(ctx: Any, spikes: Tensor, w: Tensor, d: Tensor, longest: int) -> Tensor:
        near, share = d.floor().long(), d - d.floor()
        line = pad(spikes.to(torch.int8), (0, 0, longest + 1, 0))
        ctx.save_for_backward(line, w, near, share)
        ctx.longest = longest
        arriving: Tensor = compiled(read)(line, near, w * (1 - share), w * share, spikes.shape[1])
        return arriving

    @staticmethod
    def backward(ctx: Any, *dL: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        line, w, near, share = ctx.saved_tensors
        dL_darriving = dL[0].contiguous()
        at, before = compiled(correlated)(line, near, dL_darriving)
        dL_dspikes = None
        if ctx.needs_input_grad[0]:  # the same sum, back in time
            back = pad(dL_darriving.flip(1), (0, 0, ctx.longest + 1, 0))
            near, w_at, w_before = (part.T.contiguous() for part in (near, w * (1 - share), w * share))
            dL_dspikes = compiled(read)(back, near, w_at, w_before, dL_darriving.shape[1]).flip(1)
        return dL_dspikes, at * (1 - share) + before * share, w * (before - at), None


@cache
def compiled(function: Callable) -> Callable:
    """By `torch.compile`; here, since it loads a compiler, which no other system needs."""
    return torch.compile(function)


def read(line: Tensor, near: Tensor, w_at: Tensor, w_before: Tensor, bins: int) -> Tensor:
    """`line [pre, longest + 1 + bins, trials]`, read `near` bins back, and one bin before that."""
    place = line.shape[1] - bins + torch.arange(bins)[:, None, None] - near
    source = torch.arange(line.shape[0])
    read = w_at[:, :, None] * line[source, place] + w_before[:, :, None] * line[source, place - 1]
    return read.sum(2).permute(1, 0, 2).contiguous()


def correlated(line: Tensor, near: Tensor, dL_darriving: Tensor) -> tuple[Tensor, Tensor]:
    """Sums over bins and trials of `dL_darriving` times the line, at the two bins of `read`."""
    bins = dL_darriving.shape[1]
    place = line.shape[1] - bins + torch.arange(bins) - near[:, :, None]
    source, g = torch.arange(line.shape[0])[:, None], dL_darriving[:, None]
    return (g * line[source, place]).sum((2, 3)), (g * line[source, place - 1]).sum((2, 3))


class Rival(nn.Module):
    """A feed-forward workload on a grid of 1 ms; its hidden synapses are of one `kind`."""

    def __init__(self, workload: Workload, kind: type[Dcls] | type[Line]) -> None:
        super().__init__()
        *hidden, out = workload.model.links()
        self.synapses = nn.ModuleList(kind(link, round(workload.sizes.max_delay)) for link in hidden)
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
    """The input spikes per neuron, bin of 1 ms and trial; `SpecError`: too many in one bin."""
    sizes, spikes = workload.sizes, workload.spikes
    bins = max(1, round(sizes.duration))
    trials = torch.arange(sizes.batch).repeat_interleave(spikes.counts().sum(dim=1))
    when = spikes.times.detach().long().clamp(max=bins - 1)
    where = (torch.from_numpy(neurons_of(spikes)) * bins + when) * sizes.batch + trials
    counts = torch.bincount(where, minlength=sizes.inputs * bins * sizes.batch)
    if int(counts.max()) > MOST:
        remedy = "give fewer input spikes, or more input neurons"
        raise SpecError("--spikes", f"at most {MOST} per input and bin of 1 ms", int(counts.max()), remedy)
    return counts.view(sizes.inputs, bins, sizes.batch).to(workload.model.links()[0].w.dtype)


def check_installed(kind: type[Dcls] | type[Line]) -> None:
    """`SpecError`: the network cannot be made here."""
    if kind is Dcls:
        try:
            import DCLS.construct.modules  # noqa: F401
        except ImportError:
            remedy = "pip install '.[dcls]' of the checkout"
            raise SpecError("dcls", "an installed package", Verbatim("none of this name"), remedy) from None
    else:
        compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
        if shutil.which(compiler) is None:
            remedy = "install g++, or name your compiler in CXX"
            raise SpecError("line", "compiled by a C++ compiler", Verbatim(f"no {compiler}"), remedy)
