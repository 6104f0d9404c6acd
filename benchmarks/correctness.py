"""Is the very configuration that is about to be timed right? Nothing is timed before this has passed.

    (a) the step as it is timed, against a float64 step of the same network (`precision`)
    (b) the conservation identities of the float64 gradient (`fast.nn.certificate`)
    (c) randomly chosen neurons followed event by event without any kernel, and finite differences of the loss (`check`)

Where the timed step is in float64 itself, (a) holds it against the step of (b), which asks for the gradients of input
times and constants too and so takes another way through the kernels.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import cast

import numpy as np
import torch

from benchmarks.allowed_errors import FINITE_DIFFERENCES, IDENTITIES, READOUTS, SPIKE_TIMES, Disagreement, limit
from benchmarks.arrivals import neuron_trains, sources
from benchmarks.networks import Link, Stage, constants, links
from benchmarks.precision import Precision, precision
from benchmarks.step import Step, found_by, step
from benchmarks.without_kernels import arriving, differences, follow
from benchmarks.workloads import Workload
from fast import LI, LIF, Spikes
from fast.nn.certificate import Residuals, residuals, watched

FOLLOWED = 6  # neurons of each stage
TRIALS = 1  # for finite differences: the fewer spikes, the larger a step that none of them appears or vanishes in


@dataclass
class Followed:
    """Neurons followed event by event: how many, their spikes, the largest errors (ms; relative)."""

    neurons: int = 0
    spikes: int = 0
    spike_time_error_ms: float = 0.0
    readout_error: float = 0.0


@dataclass(frozen=True)
class Agreement:
    """What the checks saw.

    Attributes:
        precision: of (a).
        residuals: of the identities A, B, C; None where one does not apply.
        followed: of (c).
        finite_difference_error: None where spikes appear or vanish at every step tried.
        finite_difference_step: in units of the direction, see `benchmarks.without_kernels.differences`.
    """

    precision: Precision
    residuals: Residuals
    followed: Followed
    finite_difference_error: float | None
    finite_difference_step: float | None

    def to_dict(self) -> dict:
        """As JSON shows it."""
        return asdict(self)


def agree(workload: Workload) -> Agreement:
    """Check the configuration.

    Raises:
        Disagreement: a check failed.
    """
    timed = step(workload)
    double = workload.in_float64()
    true, identities = certified(double)
    found = precision(workload, timed, double, true)
    seen = {name: residual for name, residual in vars(identities).items() if residual is not None}
    if not seen:
        raise Disagreement("the identities have nothing to certify: the gradient is 0")
    for name, residual in seen.items():
        limit(f"identity {name} of the float64 gradient", residual, IDENTITIES)
    followed = _follow(double, true)
    few = differences(double.of_trials(TRIALS))
    if few.error is not None:
        limit(f"the gradient against finite differences with step {few.h:g}", few.error, FINITE_DIFFERENCES)
    return Agreement(found, identities, followed, few.error, few.h)


def certified(workload: Workload) -> tuple[Step, Residuals]:
    """A step in which every parameter and input time has a gradient, and the residuals of its identities."""
    model, spikes = workload.model, workload.spikes
    model.zero_grad()
    with watched(cast("list[LIF | LI]", model.stages), spikes):
        trains, y = model(spikes)
        output = trains[-1].times if y is None else y
        output.retain_grad()
        workload.loss(trains, y).backward()
        assert output.grad is not None
        layers = [layer for stage in model.stages for layer in _as_layers(stage)]
        found = residuals(cast("list[LIF | LI]", layers), spikes, output, output.grad)
        return found_by(workload, trains, y), found


def _as_layers(stage: Stage) -> list:
    """What the certificate reads of a stage: one layer a connection, the constants with the first."""
    if isinstance(stage, LIF | LI):
        return [stage]
    none = torch.zeros(0, dtype=torch.float64, device=links(stage)[0].w.device)
    none.grad = torch.zeros_like(none)
    no_constants = {"tau_mem": none, "tau_syn": none, "v_th": None, "v_reset": None}
    return [
        SimpleNamespace(w=link.w, d=link.d, record=stage.record, **(constants(stage) if n == 0 else no_constants))
        for n, link in enumerate(links(stage))
    ]


def _follow(workload: Workload, true: Step) -> Followed:
    """Follow neurons of every stage in one trial.

    Raises:
        Disagreement: a neuron spikes otherwise, or reaches another largest voltage.
    """
    random = np.random.default_rng(workload.sizes.seed + 1)
    trial = int(random.integers(0, workload.spikes.trials))
    into, seen = sources(workload, true.trains), Followed()
    for n, stage in enumerate(workload.model.stages):
        here = [into.pop(0) for _ in links(stage)]
        size = here[0][1].w.shape[1]
        for j in random.choice(size, min(FOLLOWED, size), replace=False).tolist():
            _follow_one(workload, true, n, trial, j, here, seen)
    return seen


def _follow_one(
    workload: Workload, true: Step, n: int, trial: int, j: int, into: list[tuple[Spikes, Link]], seen: Followed
) -> None:
    """Follow neuron j of stage n, given its connections and what went into them; what it shows is added to `seen`."""
    stage, events = workload.model.stages[n], []
    for source, link in into:
        w, d = (parameter.detach().cpu().numpy()[:, j] for parameter in (link.w, link.d))
        events += arriving(neuron_trains(source, trial), w, d)
    numbers = {name: float(values[j]) for name, values in constants(stage).items() if values is not None}
    found = follow(sorted(events), workload.spikes.duration, **numbers)
    seen.neurons += 1
    if true.y is not None and isinstance(stage, LI):
        y, who = float(true.y[trial, j]), f"largest voltage of output {j}, trial {trial}, followed event by event"
        error = abs(y - found.largest) / max(abs(found.largest), abs(y)) if y != found.largest else 0.0
        limit(who, error, READOUTS)
        seen.readout_error = max(seen.readout_error, error)
        return
    given, who = true.trains[n].train(trial, j).cpu().numpy(), f"neuron {j} of population {n}, trial {trial}"
    if len(given) != len(found.times):
        raise Disagreement(f"{who}: {len(given)} spikes, {len(found.times)} if it is followed event by event")
    error = float(np.abs(given - found.times).max(initial=0.0))
    limit(f"spike times (ms) of {who}, followed event by event", error, SPIKE_TIMES)
    seen.spikes += len(given)
    seen.spike_time_error_ms = max(seen.spike_time_error_ms, error)
