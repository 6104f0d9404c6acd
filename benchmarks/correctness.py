"""The checks that a configuration must pass before it is timed.

    (a) the timed step against a float64 step of the same network (`precision`)
    (b) the conservation identities of the float64 gradient (`fast.nn.certificate`)
    (c) randomly chosen neurons against `reference`, and finite differences of the loss: without
        any kernel

If the timed step is in float64 itself, (a) compares it with the step of (b). That step also asks
for the gradients of input times and constants, and so takes another path through the kernels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from benchmarks.precision import Disagreement, limit, precision
from benchmarks.step import Step, found_by, step
from benchmarks.workloads import Workload, links, sources
from delayprop.fast import LI
from delayprop.fast.nn.certificate import Residuals, residuals, watched
from delayprop.reference.arithmetic import FLOAT64
from delayprop.reference.readouts import drive
from delayprop.reference.simulate import simulate
from delayprop.spec import Case, Connection, CrossEntropy, Network, Population, SpikeTrains
from delayprop.spec.population import CONSTANTS

IDENTITIES = 1e-12  # as `identity` of `tests/support/tolerances.py`; a fault of 0.1 % leaves some 1e-5
SPIKE_TIMES = 1e-6  # ms, of a neuron followed event by event: rounding, 1e-13 per spike, amplified along a train
READOUTS = 1e-9  # relative, of a largest voltage: a sum of some thousand terms
FINITE_DIFFERENCES = 1e-5  # relative: curvature and rounding in a difference of losses at the best step
FOLLOWED = 6  # neurons of each stage
TRIALS = 1  # of finite differences: with few spikes, larger steps change no spike count


def agree(workload: Workload) -> dict[str, Any]:
    """Check the configuration; the errors found, as a JSON object. A residual is None if its
    identity does not apply, the error of differences if every step tried changes a spike count.
    `Disagreement`: a check failed."""
    double = workload.in_float64()
    true, errors, identities = in_precision(workload, double)
    neurons = _follow(double, true)
    error, h = differences(double.of_trials(TRIALS)) or (None, None)
    if error is not None:
        limit(f"the gradient against finite differences with step {h:g}", error, FINITE_DIFFERENCES)
    return {
        "gradient_error": errors, "residuals": vars(identities), "followed": neurons, "finite_difference_error": error
    }


def in_precision(workload: Workload, double: Workload) -> tuple[Step, dict[str, float], Residuals]:
    """The checks (a) and (b) of a workload, of which `double` is the float64 one: the float64 step,
    the errors of the blocks of the gradient, and the residuals. `Disagreement`: a check failed."""
    timed = step(workload)
    true, identities = certified(double)
    errors = precision(timed, true, workload.sizes.dtype)
    applying = {name: residual for name, residual in vars(identities).items() if residual is not None}
    if not applying:
        raise Disagreement("the identities have nothing to certify: the gradient is 0")
    for name, residual in applying.items():
        limit(f"identity {name} of the float64 gradient", residual, IDENTITIES)
    return true, errors, identities


def certified(workload: Workload) -> tuple[Step, Residuals]:
    """A step in which every parameter and input time has a gradient, and its residuals."""
    model, spikes = workload.model, workload.spikes
    model.zero_grad()
    with watched(model.stages, spikes):
        trains, y = model(spikes)
        output = trains[-1].times if y is None else y
        output.retain_grad()
        workload.loss(trains, y).backward()
        assert output.grad is not None
        return found_by(workload, trains, y), residuals(model.stages, spikes, output, output.grad)


def _follow(workload: Workload, true: Step) -> dict[str, float]:
    """Compare neurons of every stage, in one trial, with `reference`: their number, their spikes,
    the largest errors. `Disagreement`: a neuron has other spikes, or another largest voltage."""
    random = np.random.default_rng(workload.sizes.seed + 1)
    trial = int(random.integers(0, workload.spikes.trials))
    into = sources(workload, true.trains)
    found = {"neurons": 0, "spikes": 0, "spike_time_error_ms": 0.0, "readout_error": 0.0}
    for n, stage in enumerate(workload.model.stages):
        here = [into.pop(0) for _ in links(stage)]
        arriving = [source.train(trial, i).detach().cpu().numpy() for source, _ in here for i in range(source.size)]
        w, d = (torch.cat(parts).detach().cpu().numpy() for parts in zip(*((link.w, link.delays) for _, link in here)))
        for j in random.choice(w.shape[1], min(FOLLOWED, w.shape[1]), replace=False).tolist():
            values = {name: getattr(stage, name) for name in CONSTANTS}
            own = {name: float(value[j]) for name, value in values.items() if value is not None}
            times, largest = followed(arriving, w[:, j], d[:, j], workload.spikes.duration, **own)
            found["neurons"] += 1
            if true.y is not None and isinstance(stage, LI):
                y, name = float(true.y[trial, j]), f"largest voltage of output {j}, trial {trial}"
                error = abs(y - largest) / max(abs(largest), abs(y)) if y != largest else 0.0
                limit(f"{name}, followed event by event", error, READOUTS)
                found["readout_error"] = max(found["readout_error"], error)
                continue
            given, name = true.trains[n].train(trial, j).cpu().numpy(), f"neuron {j} of population {n}, trial {trial}"
            if len(given) != len(times):
                raise Disagreement(f"{name}: {len(given)} spikes, {len(times)} if it is followed event by event")
            error = float(np.abs(given - times).max(initial=0.0))
            limit(f"spike times (ms) of {name}, followed event by event", error, SPIKE_TIMES)
            found["spikes"] += len(given)
            found["spike_time_error_ms"] = max(found["spike_time_error_ms"], error)
    return found


def followed(
    trains: Sequence[np.ndarray], w: np.ndarray, d: np.ndarray, duration: float, **constants: float
) -> tuple[np.ndarray, float]:
    """Spike times (ms) and largest voltage of one neuron, followed event by event by `reference`.

    It has a synapse, with `w` and `d`, from each source of `trains`. `constants`: `tau_mem`,
    `tau_syn`, and for a LIF neuron `v_th`, `v_reset`.
    """
    neuron = Population("neuron", "lif" if "v_th" in constants else "li", 1, **constants)
    synapses = Connection("sources", "neuron", w[:, None], d[:, None])
    network = Network((Population("sources", "input", len(trains)), neuron), (synapses,))
    inputs = {"sources": SpikeTrains(tuple(trains))}
    case = Case(network, duration, inputs, CrossEntropy("max_voltage", "neuron", 0))
    trial = simulate(FLOAT64, case)
    readout = drive(FLOAT64, case, trial).y
    assert readout is not None
    return np.array([spike.t for spike in trial.neurons["neuron"][0].spikes]), readout[0]


STEPS = (1e-6, 1e-7, 3e-8, 1e-8, 3e-9)
"""Tried in order; the smallest error counts.

The best step is not known beforehand: the loss has kinks where an arrival meets a crossing. A wrong
gradient is wrong at every step.
"""


def differences(workload: Workload) -> tuple[float, float] | None:
    """Relative error of the loss's derivative along a random direction of all weights and delays
    of a workload in float64: the smallest, and the step of its central difference; None if every
    step tried changes a spike count.

    A weight moves in units of the spread of its connection's weights, a delay in ms. Delays within
    ten times the largest step of 0 do not move.
    """
    random = torch.Generator().manual_seed(workload.sizes.seed + 17)
    start, by_gradient = step(workload), 0.0
    moved: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    for n, link in enumerate(workload.model.links()):
        for name, parameter in (("w", link.w), ("d", link.d)):
            v = torch.randn(parameter.shape, generator=random, dtype=torch.float64).to(parameter.device)
            if name == "w":
                v *= parameter.detach().std(correction=0)
            else:
                v[parameter.detach() < 10 * max(STEPS)] = 0.0
            by_gradient += float((start.gradients[f"{name}[{n}]"] * v).sum())
            moved.append((parameter.data, parameter.detach().clone(), v))

    @torch.no_grad()
    def loss_at(h: float) -> float | None:
        for data, before, v in moved:
            data.copy_(before + h * v)
        trains, y = workload.model(workload.spikes)
        same = all(torch.equal(a.counts(), b.counts()) for a, b in zip(trains, start.trains))
        return float(workload.loss(trains, y)) if same else None

    found = []
    for h in STEPS:
        up, down = loss_at(h), loss_at(-h)
        if up is not None and down is not None:
            difference = (up - down) / (2 * h)
            size = max(abs(by_gradient), abs(difference))
            found.append((abs(by_gradient - difference) / size if size else 0.0, h))
    loss_at(0.0)
    return min(found, default=None)
