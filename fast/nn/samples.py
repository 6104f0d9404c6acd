"""Voltages of LIF and LI neurons at given times, and their derivatives, from the closed form.

Between two times voltage and current decay, so both pass from one time to the next, and each event
adds its effect at the first time that is not before it; back in time, so do their sensitivities.
The cost is that of the arrivals plus that of the times. No kernel takes part: arrivals are not
rounded to ticks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from delayprop.fast.nn.autograd_guards import differentiable_once, outside_transforms
from delayprop.fast.nn.spikes import Spikes
from delayprop.spec import SpecError
from delayprop.spec.checks import is_list
from delayprop.spec.errors import Verbatim
from delayprop.spec.spikes import times_in_order

PIECE = 2**20
"""Arrivals that are added at once: the memory of a step holds those of one piece."""
TERMS = 18  # of the series of `_means`, for arguments below 1


def sample_times(times: object, name: str = "times") -> tuple[float, ...]:
    """Times at which a layer's voltage is read, ms; `SpecError`: none, or not at least 0, finite
    and in order; they require a gradient, which samples do not give."""
    if isinstance(times, Tensor) and times.requires_grad:
        raise SpecError(name, "", "require a gradient, and samples give none by their times", "`detach()` them")
    given = times.tolist() if isinstance(times, Tensor) else times
    if not is_list(given):
        got = Verbatim("nothing") if given is None else given
        raise SpecError(name, "a list of times in order (ms)", got, "give the times of the samples")
    found = tuple(times_in_order(given, name, "times").tolist())
    if not found:
        raise SpecError(name, "a list of at least one time (ms)", Verbatim("none"), "give the times of the samples")
    return found


def no_record(name: str) -> SpecError:
    """The refusal of a check that needs the record of a layer, which has this name."""
    remedy = "check the layers before it by another readout; samples are a torch function, without kernels"
    return SpecError(name, "", "reads samples, so it has no record", remedy)


def within_trial(times: Sequence[float], duration: float, name: str = "times") -> Sequence[float]:
    """Refuse times after the trial."""
    if len(times) and times[-1] > duration:
        raise SpecError(name, f"at most the duration, {duration:g} (ms)", times[-1], "the trial ends there")
    return times


def sampled(
    times: Sequence[float] | Tensor, arriving: Spikes, w: Tensor, d: Tensor, constants: Mapping[str, Tensor],
    emitted: Spikes | None = None,
) -> Tensor:
    """`V` at each time, float64, `[trials, post, times]`; differentiable once.

    Args:
        times: ms, in order. What happens at such a time comes first.
        arriving: spikes of `pre` neurons. `w`, `d`: `[pre, post]`, `w` 0 where no synapse is.
        constants: `tau_mem`, `tau_syn` and, of LIF, `v_th`, `v_reset`, `[post]`.
        emitted: own spikes of LIF neurons, which reset them.
    """
    points = torch.as_tensor(times, dtype=torch.float64, device=w.device)
    own, fall = points.new_zeros(0), torch.zeros_like(constants["tau_mem"])
    if emitted is not None:
        own, fall = emitted.times, constants["v_th"] - constants["v_reset"]
    return _sampled(
        arriving.times, w, d, constants["tau_mem"], constants["tau_syn"], fall, own, points, arriving, emitted
    )


@outside_transforms
def _sampled(t: Tensor, w: Tensor, d: Tensor, tau_mem: Tensor, tau_syn: Tensor, fall: Tensor, own: Tensor,
             points: Tensor, arriving: Spikes, emitted: Spikes | None) -> Tensor:
    found: Tensor = _Sampled.apply(_Problem(points, arriving, emitted), t, w, d, tau_mem, tau_syn, fall, own)
    return found


class _Events(NamedTuple):
    """Events in a piece: number of the spike and, of an arrival, of the source; target; place in
    `[trials, post, times]` of the first time that is not before it, and how long before."""

    spike: Tensor
    source: Tensor
    j: Tensor
    place: Tensor
    x: Tensor


@dataclass(frozen=True, eq=False)
class _Problem:
    """The times and spikes of a layer; `emitted`: own spikes, or None."""

    points: Tensor
    arriving: Spikes
    emitted: Spikes | None

    def pieces(self, t: Tensor, d: Tensor) -> Iterator[_Events]:
        """All arrivals up to the last time, of spikes at `t` with delays `[pre, post]`."""
        train, post = _trains(self.arriving), d.shape[1]
        for piece in torch.arange(len(train), device=d.device).split(max(1, PIECE // max(1, post))):
            source, trial = train[piece] % self.arriving.size, train[piece] // self.arriving.size
            t_arr = t[piece, None] + d[source]
            first = torch.searchsorted(self.points, t_arr)
            n, j = (first < len(self.points)).nonzero(as_tuple=True)
            at = first[n, j]
            place = (trial[n] * post + j) * len(self.points) + at
            yield _Events(piece[n], source[n], j, place, self.points[at] - t_arr[n, j])

    def resets(self, t: Tensor) -> _Events | None:
        """The own spikes, at `t`, up to the last time."""
        if self.emitted is None:
            return None
        train = _trains(self.emitted)
        at = torch.searchsorted(self.points, t)
        (spike,) = (at < len(self.points)).nonzero(as_tuple=True)
        own, at = train[spike], at[spike]
        j = own % self.emitted.size
        return _Events(spike, j, j, own * len(self.points) + at, self.points[at] - t[spike])


def _trains(spikes: Spikes) -> Tensor:
    """The number of the train of each spike."""
    numbers = torch.arange(spikes.trials * spikes.size, device=spikes.device)
    return numbers.repeat_interleave(spikes.offsets.diff())


class _Sampled(torch.autograd.Function):
    """The voltages at the times of a problem, joined to the graph."""

    @staticmethod
    def forward(ctx: Any, problem: _Problem, *given: Tensor) -> Tensor:
        # copies, so that tensors that are changed in place later do not reach the backward pass
        numbers = [torch.empty(one.shape, dtype=torch.float64, device=one.device).copy_(one) for one in given]
        t, w, d, tau_mem, tau_syn, fall, own = numbers
        pm, ps, points = 1.0 / tau_mem, 1.0 / tau_syn, problem.points
        shape = problem.arriving.trials, w.shape[1], len(points)
        V, I = (points.new_zeros(shape).flatten() for _ in range(2))
        for one in problem.pieces(t, d):
            size = w[one.source, one.j]
            V.index_add_(0, one.place, size * _response(pm[one.j], ps[one.j], one.x).k)
            I.index_add_(0, one.place, size * torch.exp(-ps[one.j] * one.x))
        if resets := problem.resets(own):
            V.index_add_(0, resets.place, -fall[resets.j] * torch.exp(-pm[resets.j] * resets.x))
        V, I = V.view(shape), I.view(shape)
        steps = _steps(points)
        V_stays, I_stays, gain = torch.exp(-pm * steps), torch.exp(-ps * steps), _response(pm, ps, steps).k
        for k in range(1, len(points)):
            V[..., k] += V_stays[k] * V[..., k - 1] + gain[k] * I[..., k - 1]
            I[..., k] += I_stays[k] * I[..., k - 1]
        ctx.problem, ctx.numbers, ctx.states, ctx.variables = problem, numbers, (V, I), given
        ctx.save_for_backward(points.new_empty(0))  # so that torch refuses a second backward pass
        return V.clone()

    @staticmethod
    @differentiable_once
    def backward(ctx: Any, dL_dV: Tensor) -> tuple[Tensor | None, ...]:
        problem, (t, w, d, tau_mem, tau_syn, fall, own) = ctx.problem, ctx.numbers
        pm, ps, points, (V, I) = 1.0 / tau_mem, 1.0 / tau_syn, problem.points, ctx.states
        dL_dt, dL_dw, dL_dd, dL_down = (torch.zeros_like(one) for one in (t, w, d, own))
        dL_dpm, dL_dps, dL_dfall = (torch.zeros_like(pm) for _ in range(3))
        steps = _steps(points)
        V_stays, I_stays, passed = torch.exp(-pm * steps), torch.exp(-ps * steps), _response(pm, ps, steps)
        p_V, p_I = dL_dV.clone(), torch.zeros_like(dL_dV)
        for k in range(len(points) - 1, 0, -1):
            V_before, I_before = V[..., k - 1], I[..., k - 1]
            p_V[..., k - 1] += V_stays[k] * p_V[..., k]
            p_I[..., k - 1] += passed.k[k] * p_V[..., k] + I_stays[k] * p_I[..., k]
            by_pm = passed.by_pm[k] * I_before - steps[k] * V_stays[k] * V_before
            dL_dpm += (p_V[..., k] * by_pm).sum(0)
            by_I = passed.by_ps[k] * p_V[..., k] - steps[k] * I_stays[k] * p_I[..., k]
            dL_dps += (by_I * I_before).sum(0)
        p_V, p_I = p_V.flatten(), p_I.flatten()
        for one in problem.pieces(t, d):
            size, by_V, by_I = w[one.source, one.j], p_V[one.place], p_I[one.place]
            kept, grown = torch.exp(-ps[one.j] * one.x), _response(pm[one.j], ps[one.j], one.x)
            entry = one.source * w.shape[1] + one.j
            dL_dw.view(-1).index_add_(0, entry, by_V * grown.k + by_I * kept)
            # V' = (I - V) / tau_mem and I' = -I / tau_syn: a later arrival has less time
            by_time = -size * (by_V * pm[one.j] * (kept - grown.k) - by_I * ps[one.j] * kept)
            dL_dd.view(-1).index_add_(0, entry, by_time)
            dL_dt.index_add_(0, one.spike, by_time)
            dL_dpm.index_add_(0, one.j, size * by_V * grown.by_pm)
            dL_dps.index_add_(0, one.j, size * (by_V * grown.by_ps - by_I * one.x * kept))
        if resets := problem.resets(own):
            kept, by_V = torch.exp(-pm[resets.j] * resets.x), p_V[resets.place]
            dL_dfall.index_add_(0, resets.j, -by_V * kept)
            moved = -by_V * fall[resets.j] * kept
            dL_down.index_add_(0, resets.spike, moved * pm[resets.j])
            dL_dpm.index_add_(0, resets.j, -moved * resets.x)
        found = dL_dt, dL_dw, dL_dd, -dL_dpm * pm**2, -dL_dps * ps**2, dL_dfall, dL_down
        return None, *(one.to(given.dtype) for one, given in zip(found, ctx.variables, strict=True))


class _Response(NamedTuple):
    """The voltage `k` that an arrival of weight 1 causes, and its derivatives by both rates."""

    k: Tensor
    by_pm: Tensor
    by_ps: Tensor


def _steps(points: Tensor) -> Tensor:
    """The time since the point before, `[times, 1]`."""
    return points.diff(prepend=points[:1])[:, None]


def _response(pm: Tensor, ps: Tensor, x: Tensor) -> _Response:
    """The response after a time `x`: `pm x` times the mean of `exp` between `-pm x` and `-ps x`."""
    slow_is_pm, slow, z = pm <= ps, torch.minimum(pm, ps), (pm - ps).abs() * x
    share, moment = _means(z)
    decay = torch.exp(-slow * x)
    by_slow, by_fast = decay * (moment - share), -decay * moment  # of the mean, by `slow x` and `fast x`
    by_pm, by_ps = torch.where(slow_is_pm, by_slow, by_fast), torch.where(slow_is_pm, by_fast, by_slow)
    mean = decay * share
    by_pm = x * mean + pm * x**2 * by_pm
    apart = (pm * x * torch.exp(-pm * x) - ps * x * mean) / (pm - ps)  # of which that sum loses digits
    by_pm = torch.where((z > 1.0) & ~slow_is_pm, apart, by_pm)
    return _Response(pm * x * mean, by_pm, pm * x**2 * by_ps)


def _means(z: Tensor) -> tuple[Tensor, Tensor]:
    """The means of `exp(-z u)` and of `u exp(-z u)` over `u` in [0, 1], for `z >= 0`, without
    cancellation."""
    near, far = z.clamp(max=1.0), z.clamp(min=1.0)
    share, moment = torch.ones_like(z), torch.full_like(z, 1.0 / (TERMS + 2))
    for n in range(TERMS, 0, -1):  # sums of (-z)^n / (n+1)! and of (-z)^n / (n! (n+2))
        share = 1.0 - near * share / (n + 1)
        moment = 1.0 / (n + 1) - near * moment / n
    of_far = -torch.expm1(-far) / far
    return torch.where(z < 1.0, share, of_far), torch.where(z < 1.0, moment, (of_far - torch.exp(-far)) / far)
