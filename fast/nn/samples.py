"""Voltages of LIF and LI neurons at given times, from their closed form; torch differentiates it.

Between two times voltage and current decay, so both pass from one time to the next, and each event
adds its effect at the first time that is not before it. The cost is that of the arrivals plus that
of the times. No kernel takes part: arrivals are not rounded to ticks.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from delayprop.fast.nn.spikes import Spikes
from delayprop.spec import SpecError
from delayprop.spec.checks import is_list
from delayprop.spec.errors import Verbatim
from delayprop.spec.spikes import times_in_order

PIECE = 2**20
"""Arrivals that are added at once: the memory of a step holds those of one piece."""
TERMS = 18  # of the series of `_share`, for arguments below 1


def sample_times(times: object) -> tuple[float, ...]:
    """Times at which a layer's voltage is read, ms; `SpecError`: none, or not at least 0, finite
    and in order."""
    given = times.tolist() if isinstance(times, Tensor) else times
    if not is_list(given):
        got = Verbatim("nothing") if given is None else given
        raise SpecError("times", "a list of times in order (ms)", got, "give the times of the samples")
    found = tuple(times_in_order(given, "times", "times").tolist())
    if not found:
        raise SpecError("times", "a list of at least one time (ms)", Verbatim("none"), "give the times of the samples")
    return found


def no_record(name: str) -> SpecError:
    """The refusal of a check that needs the record of a layer, which has this name."""
    remedy = "check the layers before it by another readout; samples are a torch function, without kernels"
    return SpecError(name, "", "reads samples, so it has no record", remedy)


def within_trial(times: Sequence[float], spikes: Spikes) -> Sequence[float]:
    """Refuse times after the trial."""
    if len(times) and times[-1] > spikes.duration:
        raise SpecError("times", f"at most the duration, {spikes.duration:g} (ms)", times[-1], "the trial ends there")
    return times


def sampled(
    times: Sequence[float] | Tensor, arriving: Spikes, w: Tensor, d: Tensor, constants: Mapping[str, Tensor],
    emitted: Spikes | None = None,
) -> Tensor:
    """`V` at each time, float64, `[trials, post, times]`.

    Args:
        times: ms, in order. What happens at such a time comes first.
        arriving: spikes of `pre` neurons. `w`, `d`: `[pre, post]`, `w` 0 where no synapse is.
        constants: `tau_mem`, `tau_syn` and, of LIF, `v_th`, `v_reset`, `[post]`.
        emitted: own spikes of LIF neurons, which reset them.
    """
    points = torch.as_tensor(times, dtype=torch.float64, device=w.device)
    pm, ps = (1.0 / constants[name].double() for name in ("tau_mem", "tau_syn"))
    weights, delays, shape = w.double(), d.double(), (arriving.trials, w.shape[1], len(points))
    V, I = (points.new_zeros(shape).flatten() for _ in range(2))

    def added(t: Tensor, source: Tensor, trial: Tensor, w: Tensor, d: Tensor, pm: Tensor, ps: Tensor) -> tuple:
        t_arr = t[:, None] + d[source]
        n, j = (_first(points, t_arr) < len(points)).nonzero(as_tuple=True)
        t_arr, size = t_arr[n, j], w[source[n], j]
        at = _first(points, t_arr)
        x, place = points[at] - t_arr, (trial[n] * shape[1] + j) * shape[2] + at
        more = size * _response(pm[j], ps[j], x), size * torch.exp(-ps[j] * x)
        return tuple(torch.zeros_like(V).index_add(0, place, each) for each in more)

    train = torch.arange(arriving.trials * arriving.size, device=w.device).repeat_interleave(arriving.offsets.diff())
    for piece in torch.arange(len(train), device=w.device).split(max(1, PIECE // shape[1])):
        own = train[piece]
        given = arriving.times[piece], own % arriving.size, own // arriving.size, weights, delays, pm, ps
        dV, dI = checkpoint(added, *given, use_reentrant=False) if torch.is_grad_enabled() else added(*given)
        V, I = V + dV, I + dI
    if emitted is not None:
        V = V - _resets(points, emitted, (constants["v_th"] - constants["v_reset"]).double(), pm)
    return _carried(points, V.reshape(shape), I.reshape(shape), pm, ps)


def _first(points: Tensor, t: Tensor) -> Tensor:
    """The first point that is not before each time; the number of points if there is none."""
    return torch.searchsorted(points, t.detach())


def _share(z: Tensor) -> Tensor:
    """`(1 - exp(-z)) / z` for `z >= 0`, and its derivative, both without cancellation."""
    small, near, far = z < 1.0, z.clamp(max=1.0), z.clamp(min=1.0)
    series = torch.ones_like(near)
    for n in range(TERMS, 0, -1):
        series = 1.0 - near * series / (n + 1)
    return torch.where(small, series, -torch.expm1(-far) / far)


def _response(pm: Tensor, ps: Tensor, x: Tensor) -> Tensor:
    """The voltage that a weight of 1 causes a time `x` after its arrival."""
    slow, fast = torch.minimum(pm, ps), torch.maximum(pm, ps)
    return pm * x * torch.exp(-slow * x) * _share((fast - slow) * x)


def _resets(points: Tensor, emitted: Spikes, fall: Tensor, pm: Tensor) -> Tensor:
    """By which own spikes lower the voltages, in the places of `sampled`."""
    train = torch.arange(emitted.trials * emitted.size, device=points.device).repeat_interleave(emitted.offsets.diff())
    at = _first(points, emitted.times)
    acts = at < len(points)
    t, own, at = emitted.times[acts], train[acts], at[acts]
    j = own % emitted.size
    lower = fall[j] * torch.exp(-pm[j] * (points[at] - t))
    return points.new_zeros(emitted.trials * emitted.size * len(points)).index_add(0, own * len(points) + at, lower)


def _carried(points: Tensor, dV: Tensor, dI: Tensor, pm: Tensor, ps: Tensor) -> Tensor:
    """The voltage at each point, given that which has been added since the point before."""
    steps = points.diff(prepend=points[:1])[:, None]
    V_stays, I_stays, gain = torch.exp(-pm * steps), torch.exp(-ps * steps), _response(pm, ps, steps)
    V, I = torch.zeros_like(dV[..., 0]), torch.zeros_like(dI[..., 0])
    found = []
    for k in range(len(points)):
        V, I = V_stays[k] * V + gain[k] * I + dV[..., k], I_stays[k] * I + dI[..., k]
        found.append(V)
    return torch.stack(found, -1) if found else dV
