"""The checks that a configuration must pass before it is timed.

    (a) the timed step against a float64 step of the same network: spike counts, whole blocks of
        gradients
    (b) the conservation identities of the float64 gradient (`fast.nn.certificate`)
    (c) randomly chosen neurons against `reference`, without any kernel

They guard this very configuration; the tests prove the computation. A float32 step has float32
weights, delays and gradients, and sweeps forward in float64 (`fast.solving.problem`). So it has
every spike of the float64 step with the same weights. If the timed step is in float64 itself, (a)
compares it with the step of (b). That step also asks for the gradients of input times and
constants, and so takes another path through the kernels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

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
FOLLOWED = 6  # neurons of each stage
BLOCKS = {"float32": 1e-5, "float64": 1e-9}
"""Norm of a block's error, relative to that of the block. In float32 the sweep back rounds, some
`u` per block, and more where terms cancel. In float64 the step is compared with a step that takes
another path through the kernels."""
WRONG = 1  # the exit code of a command that finds a wrong result


class Disagreement(Exception):
    """The configuration is not computed right; the message names the check and the error."""

    def __str__(self) -> str:
        return f"{super().__str__()}; no speed is printed for a wrong result"


def limit(name: str, error: float, allowed: float) -> None:
    """Refuse an error that is larger than allowed, or NaN; `Disagreement`: the error is refused."""
    if not error <= allowed:
        raise Disagreement(f"{name}: error {error:.1e}, allowed {allowed:.0e}")


def agree(workload: Workload) -> dict[str, Any]:
    """Check the configuration; the errors found, as a JSON object. A residual is None if its
    identity does not apply. `Disagreement`: a check failed."""
    double = workload.in_float64()
    true, errors, identities = in_precision(workload, double)
    return {"gradient_error": errors, "residuals": vars(identities), "followed": _follow(double, true)}


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


def precision(timed: Step, true: Step, dtype: str) -> dict[str, float]:
    """The relative error of each block of gradients of a step, `w[n]` and `d[n]` of connection n.

    `Disagreement`: other spike counts, no spikes, or a larger error than the precision explains.
    """
    if not any(len(train.times) for train in true.trains):
        raise Disagreement("no neuron spikes, so nothing is compared")
    for n, (found, expected) in enumerate(zip(timed.trains, true.trains, strict=True)):
        off = (found.counts() - expected.counts()).abs()
        if bool(off.any()):
            trial, neuron = off.nonzero()[0].tolist()
            where = f"population {n}, trial {trial}, neuron {neuron}"
            raise Disagreement(f"{int(off.sum())} spikes off against float64, of {len(expected.times)}; first {where}")
    errors = {name: relative(timed.gradients[name], expected) for name, expected in true.gradients.items()}
    for name, error in errors.items():
        limit(f"gradient of {name} against float64", error, BLOCKS[dtype])
    return errors


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Norm of the error over that of the expected block; 0 if both are 0."""
    norm, off = float(expected.norm()), float((found - expected).norm())
    return off / norm if norm > 0 else (0.0 if off == 0 else float("inf"))


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
