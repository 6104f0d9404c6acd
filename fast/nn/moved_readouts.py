"""How the readouts of a layer change if its input is moved in time while `T` stays.

An integral `y = (1/T) int_0^T exp(-r t) V dt` loses its end, and its weight `exp(-r t)` stays. The
change takes `V` at `T`, and for `r > 0` the moment `(1/T) int_0^T t exp(-r t) V dt`
[identity-readout]. Both are computed here from the arrivals alone, by closed forms in float64, so
that they depend on no kernel.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from delayprop.fast.nn.autograd import Record
from delayprop.fast.solving.problem import Problem

CHUNK = 2**20  # arrivals that are looked at together, which bounds the memory


class Moved(NamedTuple):
    """Derivatives of the readouts, each a list of summands `[trials, post]`, float64.

    Attributes:
        unit: by a common factor of all times of the input and all constants of the network, at 1.
        shift: by a common shift of all times of the input, per ms.
    """

    unit: list[Tensor]
    shift: list[Tensor]


def moved(record: Record, y: Tensor, duration: float) -> Moved:
    """The change of the readouts `y [trials, post]`, float64, of a layer with this record."""
    problem = record.integrated
    if problem is None:
        slope = torch.from_numpy(record.dy_dT).to(y.device)
        return Moved([-duration * slope], [-slope])
    T, r = duration, max(problem.rate, 0.0) / problem.width
    tau_mem, tau_syn = (tau.double() for tau in problem.constants[:2])
    V, I, late = _at_end(problem, r)
    weight = torch.exp(torch.tensor(-r * T, dtype=torch.float64, device=y.device))
    at_end = -weight * V
    if r == 0:
        return Moved([y, at_end], [at_end / T])
    # The equations of motion, times exp(-r t) and t exp(-r t), integrated over the trial.
    integral_I = (1 + r * tau_mem) * T * y + tau_mem * weight * V
    moment_I = (tau_syn * (late - T * weight * I) + tau_syn * integral_I) / (1 + r * tau_syn)
    moment = (moment_I + tau_mem * (T * y - T * weight * V)) / (1 + r * tau_mem) / T
    return Moved([y, at_end, -r * moment], [at_end / T, -r * y])


def _at_end(problem: Problem, r: float) -> tuple[Tensor, Tensor, Tensor]:
    """`V` and `I` at `T`, and the sum of `w t exp(-r t)` over arrivals, `[trials, post]` each."""
    T, device, most = problem.duration, problem.w.device, max(1, CHUNK // problem.w.shape[1])
    tau_mem, tau_syn = (tau.double() for tau in problem.constants[:2])
    slower, apart = torch.minimum(1 / tau_mem, 1 / tau_syn), (1 / tau_mem - 1 / tau_syn).abs()
    w, d = problem.w.double(), problem.d.double()
    if problem.exists is not None:
        w = torch.where(problem.exists, w, 0.0)
    sources = torch.arange(problem.sources, device=device).repeat(problem.trials)
    sources = sources.repeat_interleave(problem.offsets.diff(), output_size=len(problem.times))
    sums = torch.zeros(3, problem.trials, w.shape[1], dtype=torch.float64, device=device)
    for trial, (first, last) in enumerate(pairwise(problem.offsets[:: problem.sources].tolist())):
        for part in (slice(at, min(at + most, last)) for at in range(first, last, most)):
            source = sources[part]
            arrival = problem.times[part, None] + d[source]
            left, weight = (T - arrival).clamp(min=0.0), torch.where(arrival <= T, w[source], 0.0)
            # [flow-V-I] (1/tau_mem) E(left; 1/tau_mem, 1/tau_syn), accurate near equal constants
            x = apart * left
            response = left / tau_mem * torch.exp(-slower * left) * torch.where(x == 0, 1.0, -torch.expm1(-x) / x)
            sums[0, trial] += (weight * response).sum(0)
            if r:
                sums[1, trial] += (weight * torch.exp(-left / tau_syn)).sum(0)
                sums[2, trial] += (weight * arrival * torch.exp(-r * arrival)).sum(0)
    V, I, late = sums
    return V, I, late
