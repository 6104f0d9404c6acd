"""The timed step against float64: spike counts and gradients.

A float64 step is compared with float64 block by block. For float32 this would say little: the
gradient of a spike that grazes its threshold has a relative error of some `u / kappa`, and such
spikes dominate a norm (`README.md` has numbers). So in float32

    - each stage runs alone on the spikes of the float64 pass, in both precisions, with a random
      loss: a spike that grazes then harms the gradients of its own neuron only;
    - the error is the one of a neuron's own weights (delays), relative to their norm, and the
      median over neurons counts: a fault of arithmetic is in all of them, grazing in a few. In a
      recurrent stage grazing spreads to all neurons, so such a stage runs on fewer trials, and
      only for the time of `DELAYS` delays.

The errors of the whole step by blocks are reported as well, without a limit.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.step import Step
from benchmarks.workloads import Stage, Workload, links
from delayprop.fast import Spikes

SPIKES_OFF = 1e-3  # share of spikes that float32 may lose or gain, since they graze; float64 none
FLOAT32_GRADIENTS = 1e-3  # of the median neuron: some hundred u32, plus errors of grazing spikes
FLOAT64_GRADIENTS = 1e-9  # between two paths through the kernels: as `reference` and `fast` at kappa 1e-5
TRIALS = 32  # of a stage that runs alone: with more, more neurons have a spike that grazes
TRIALS_RECURRENT, DELAYS = 8, 2
WRONG = 1  # the exit code of a command that finds a wrong result


class Disagreement(Exception):
    """The configuration is not computed right; the message names the check and the error."""

    def __str__(self) -> str:
        return f"{super().__str__()}; no speed is printed for a wrong result"


def limit(name: str, error: float, allowed: float) -> None:
    """Refuse an error that is larger than allowed, or NaN; `Disagreement`: the error is refused."""
    if not error <= allowed:
        raise Disagreement(f"{name}: error {error:.1e}, allowed {allowed:.0e}")


def precision(workload: Workload, timed: Step, double: Workload, true: Step) -> dict[str, Any]:
    """Compare the timed step with the float64 step of its network.

    Returns:
        A JSON object. `spikes_off`, `neurons_off`: missing or surplus spikes; pairs of trial and
        neuron with any. `gradient_error`: relative, of each block of the whole step, `w[n]` and
        `d[n]` of connection n. `neuron_gradient_error`: in float32, of the median neuron of each
        stage run alone, by the same names; else None.

    Raises:
        Disagreement: more spikes off, or a larger error, than the precision explains.
    """
    spikes, neurons = _counts(timed, true, workload.sizes.dtype)
    errors = {name: _relative(timed.gradients[name], expected) for name, expected in true.gradients.items()}
    of_neurons: dict[str, float] | None = None
    if workload.sizes.dtype == "float64":
        for name, error in errors.items():
            limit(f"gradient of {name} against that with all gradients wanted", error, FLOAT64_GRADIENTS)
    else:
        of_neurons = _stages_alone(workload, double, true)
        for name, error in of_neurons.items():
            limit(f"gradient of {name} against float64, median over neurons", error, FLOAT32_GRADIENTS)
    return {"spikes_off": spikes, "neurons_off": neurons, "gradient_error": errors, "neuron_gradient_error": of_neurons}


def _counts(timed: Step, true: Step, dtype: str) -> tuple[int, int]:
    """Numbers of spikes and of neurons that are off."""
    off = [(a.counts() - b.counts()).abs().cpu() for a, b in zip(timed.trains, true.trains, strict=True)]
    spikes, neurons = sum(int(o.sum()) for o in off), sum(int((o > 0).sum()) for o in off)
    of = sum(len(train.times) for train in true.trains)
    if of == 0:
        raise Disagreement("no neuron spikes, so nothing is compared")
    allowed = SPIKES_OFF * of if dtype == "float32" else 0.0
    if spikes > allowed:
        first = next((n, *(o > 0).nonzero()[0].tolist()) for n, o in enumerate(off) if bool(o.any()))
        where = "population {}, trial {}, neuron {}".format(*first)
        raise Disagreement(f"spikes off against float64: {spikes} of {of}, allowed {allowed:.0f}; first {where}")
    return spikes, neurons


def _stages_alone(workload: Workload, double: Workload, true: Step) -> dict[str, float]:
    """The error of each stage's median neuron; the stage runs alone on float64 spikes."""
    errors: dict[str, float] = {}
    before = [workload.spikes, *true.trains]
    for n, (stage, stage64) in enumerate(zip(workload.model.stages, double.model.stages)):
        arriving = before[n][:TRIALS].detach()
        if stage.recurrent:
            duration = min(arriving.duration, DELAYS * workload.sizes.max_delay)
            arriving = replace(arriving[:TRIALS_RECURRENT], duration=duration)
        for found, expected in zip(_gradients(stage, arriving), _gradients(stage64, arriving), strict=True):
            for name, a, b in zip("wd", found, expected):
                norms, off = b.norm(dim=0), (a - b).norm(dim=0)
                seen = (norms > 0) | (off > 0)
                if bool(seen.any()):
                    errors[f"{name}[{len(errors) // 2}]"] = float((off[seen] / norms[seen]).median())
    return errors


def _gradients(stage: Stage, arriving: Spikes) -> list[tuple[Tensor, Tensor]]:
    """Gradients of a random loss by `w` and `d` of each connection, in float64.

    The loss is linear in the readout, or in the spike times with one coefficient per train. So it
    stays the same function if a train has one spike more.
    """
    random = torch.Generator().manual_seed(5)
    stage.zero_grad()
    found = stage(arriving)
    if isinstance(found, Spikes):
        of_trains = torch.randn(found.trials * found.size, generator=random, dtype=torch.float64)
        of_trains = of_trains.to(found.times.device)
        (found.times * of_trains.repeat_interleave(found.counts().flatten())).sum().backward()
    else:
        (found * torch.randn(found.shape, generator=random, dtype=torch.float64).to(found)).sum().backward()
    gradients = []
    for link in links(stage):
        assert link.w.grad is not None and link.d.grad is not None
        gradients.append((link.w.grad.double().cpu(), link.d.grad.double().cpu()))
    return gradients


def _relative(found: Tensor, expected: Tensor) -> float:
    difference, norm = float((found - expected).norm()), float(expected.norm())
    return difference / norm if norm > 0 else difference
