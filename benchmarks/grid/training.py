"""The cost of a grid for training: equal task, start, batches and optimiser, with either gradient.

The exact gradient comes from `fast` in float64 (tested against `reference`), the gradient on a grid
from `stepped.py`. Adam moves real-valued delays in both cases. A grid rounds delays when it uses
them, and its network is tested twice: on its own grid, and in continuous time.
"""

from __future__ import annotations

import copy
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmarks.grid.flat import Flat, flat
from benchmarks.grid.forward import forward
from benchmarks.grid.losses import driven
from benchmarks.grid.measure import same_spikes
from benchmarks.grid.networks import vector
from benchmarks.grid.stepped import backward, run_many
from benchmarks.grid.tasks import APARTS, Task, interval_base, interval_task, network_of, spikes_of, yin_yang_task
from delayprop.fast import LI, LIF, cross_entropy
from delayprop.fast.run import run_case
from delayprop.fast.training.evaluation import correct
from delayprop.fast.training.intervals import mean_half_width
from delayprop.spec import Case

Layers = list[LIF | LI]
ALIKE_DTS = (1.0, 1 / 8, 1 / 64)  # ms
CHUNK = 100  # test trials per pass


@dataclass(frozen=True)
class Way:
    """A gradient: exact (`dt` None), or on a grid, with or without the term of pinned maxima."""

    dt: float | None
    pinned: bool = False


EXACT, PUBLISHED = Way(None, True), Way(1.0)


def leave_gradient(layers: Layers, cases: Sequence[Case], way: Way) -> None:
    """Set the gradient of the mean loss on the parameters of the layers."""
    if way.dt is None:
        spikes, labels = spikes_of(cases)
        cross_entropy(exact_readout(layers, spikes), labels).backward()
        return
    arrays = on_grid(layers, cases)
    trace = forward(arrays, way.dt)
    found = backward(arrays, trace, driven(arrays, trace), way.pinned)
    for name, gradient in zip(("w", "d"), found, strict=True):
        mean, at = torch.from_numpy(gradient.reshape(len(cases), -1).mean(axis=0)), 0
        for layer in layers:
            parameter = getattr(layer, name)
            parameter.grad = mean[at : at + parameter.numel()].reshape(parameter.shape).clone()
            at += parameter.numel()


def on_grid(layers: Layers, cases: Sequence[Case]) -> Flat:
    """The cases in one set of arrays, with the weights and delays of the layers."""
    return flat(cases).with_parameters(_vector(layers, "w"), _vector(layers, "d"))


def exact_readout(layers: Layers, spikes: Any) -> torch.Tensor:
    """The readout `[trials, classes]`."""
    for layer in layers:
        spikes = layer(spikes)
    assert isinstance(spikes, torch.Tensor)
    return spikes


def _vector(layers: Layers, name: str) -> np.ndarray:
    return np.concatenate([getattr(layer, name).detach().numpy().ravel() for layer in layers])


def learned(task: Task, way: Way) -> Layers:
    """The trained layers."""
    layers = copy.deepcopy(task.layers)
    groups = [{"params": [layer.d for layer in layers], "lr": task.lr_d}]
    if task.lr_w is not None:
        groups.append({"params": [layer.w for layer in layers], "lr": task.lr_w})
    rates = [float(str(group["lr"])) for group in groups]
    adam = torch.optim.Adam(groups)
    for number, batch in enumerate(task.batches):
        share = (1 + math.cos(math.pi * number / len(task.batches))) / 2
        for group, rate in zip(adam.param_groups, rates, strict=True):
            group["lr"] = rate * share
        adam.zero_grad()
        cases = [task.train[n] for n in batch]
        leave_gradient(layers, cases, way)
        adam.step()
        for layer in layers:
            layer.project_()
    return layers


@torch.no_grad()
def accuracy(layers: Layers, cases: Sequence[Case], dt: float | None) -> float:
    """Share of right answers in continuous time (`dt` None), or on a grid."""
    right = 0
    for at in range(0, len(cases), CHUNK):
        spikes, labels = spikes_of(cases[at : at + CHUNK])
        if dt is None:
            y = exact_readout(layers, spikes)
        else:
            arrays = on_grid(layers, cases[at : at + CHUNK])
            y = torch.tensor(np.array(driven(arrays, forward(arrays, dt)).y))
        right += int(correct(y, labels).sum())
    return right / len(cases)


def alike(task: Task, layers: Layers, ways: Sequence[Way]) -> list[dict]:
    """The exact gradient of the first batch compared with others, at the layers' parameters.

    Error and cosine of the batch's mean gradient; median error of single trials' gradients
    (`trial_w`, `trial_d`); and the share of trials with all spike counts right (`kept`).
    """
    network = network_of(layers)
    cases = [Case(network, c.duration, c.inputs, c.loss) for c in (task.train[n] for n in task.batches[0])]
    exact, records = [run_case(case) for case in cases], []
    for way in ways:
        assert way.dt is not None
        found = run_many(cases, way.dt, pinned=way.pinned)
        kept = [same_spikes(true, other)[0] for true, other in zip(exact, found, strict=True)]
        entry: dict[str, Any] = {"dt": way.dt, "pinned": way.pinned, "kept": statistics.fmean(kept)}
        for name in ("w", "d"):
            rows, others = (np.array([vector(result, name) for result in results]) for results in (exact, found))
            errors = np.linalg.norm(others - rows, axis=1) / np.linalg.norm(rows, axis=1)
            mean, other = rows.mean(axis=0), others.mean(axis=0)
            size, length = np.linalg.norm(mean), np.linalg.norm(other)
            entry[f"error_{name}"] = float(f"{np.linalg.norm(other - mean) / size:.4g}")
            entry[f"cosine_{name}"] = round(float(mean @ other / (size * length)), 4)
            entry[f"trial_{name}"] = float(f"{np.median(errors):.4g}")
        records.append(entry)
    return records


def compared(task: Task, ways: Sequence[Way] = (PUBLISHED,)) -> tuple[list[dict[str, Any]], Layers]:
    """One seed of a task: accuracies and delays of the network trained with each gradient.

    `on_exact`: in continuous time; `on_grid`: on the grid of its training, the exact one on 1 ms.
    The returned layers are those trained with the exact gradient.
    """
    exact = learned(task, EXACT)
    start, end = _vector(task.layers, "d"), _vector(exact, "d")
    records: list[dict[str, Any]] = []
    for way in (EXACT, *ways):
        layers = exact if way is EXACT else learned(task, way)
        delays = _vector(layers, "d")
        records.append({
            "dt": way.dt, "pinned": way.pinned, "on_exact": accuracy(layers, task.test, None),
            "on_grid": accuracy(layers, task.test, way.dt or PUBLISHED.dt),
            "moved_ms": _rms(delays - start), "apart_ms": _rms(delays - end), "delays": delays.round(4).tolist(),
        })
    return records, exact


def _rms(values: np.ndarray) -> float:
    return float(f"{np.sqrt(np.mean(values**2)):.5g}")


def interval_runs(seeds: Sequence[int], aparts: Sequence[float] = APARTS, **sizes: int) -> list[dict]:
    """Every distance and seed; `boundary_off`: learned minus best boundary, ms."""
    records = []
    for apart in aparts:
        for seed in seeds:
            (ways, _), base = compared(interval_task(apart, seed, **sizes)), interval_base(apart, seed)
            for way in ways:
                d = np.array(way["delays"]).reshape(2, 2)
                way["boundary_off"] = round(float((d[0] - d[1]).mean() - base - apart / 2), 4)
            records.append({"apart": apart, "seed": seed, "base": round(base, 4), "ways": ways})
    return records


def yin_yang_runs(seeds: Sequence[int], ways: Sequence[Way], **sizes: int) -> list[dict]:
    """Every seed of Yin-Yang, with `alike` before and after training with the exact gradient."""
    records = []
    for seed in seeds:
        task = yin_yang_task(seed, **sizes)
        found, exact = compared(task, ways)
        for way in found:
            del way["delays"]
        asked = [Way(dt, pinned) for dt in ALIKE_DTS for pinned in (False, True)]
        records.append({"seed": seed, "ways": found, "before": alike(task, task.layers, asked),
                        "after": alike(task, exact, asked)})
    return records


def mean_and_interval(values: Sequence[float]) -> dict[str, float | None]:
    """Mean, standard deviation, and half the 95 % interval of the mean, over one value per seed."""
    half = mean_half_width(values)
    return {
        "mean": round(statistics.fmean(values), 5),
        "sd": round(statistics.stdev(values), 5) if len(values) > 1 else None,
        "half": None if half is None else round(half, 5),
    }


def summary(runs: Sequence[dict]) -> list[dict]:
    """Over seeds, for each way: accuracies, and the exact one's minus its own (paired by seed)."""
    records = []
    for n, way in enumerate(runs[0]["ways"]):
        own = [run["ways"][n] for run in runs]
        best = [run["ways"][0]["on_exact"] for run in runs]
        records.append({
            "dt": way["dt"], "pinned": way["pinned"], "seeds": len(runs),
            **{name: mean_and_interval([one[name] for one in own])
               for name in ("on_exact", "on_grid", "moved_ms", "apart_ms")},
            "lost_on_exact": mean_and_interval([b - one["on_exact"] for b, one in zip(best, own, strict=True)]),
            "lost_on_grid": mean_and_interval([b - one["on_grid"] for b, one in zip(best, own, strict=True)]),
        })
    return records
