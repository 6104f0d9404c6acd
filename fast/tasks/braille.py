"""Braille letters read by touch: 24 event channels of a fingertip, 27 classes, about 40 spikes in 1.35 s.

Data of Mueller-Cleve et al., Front. Neurosci. 16:951164 (2022), Zenodo 7050094, as `braille_{train,valid,test}.h5`
in the layout of `fast.spike_files`. One hidden layer with learned weights and delays; the answer is the largest
maximum voltage of the output neurons. The epoch is chosen by the validation split; the test split is looked at once,
at the end.
"""

from __future__ import annotations

import argparse
import copy
import io
import math
import os
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from fast.certificate import Residuals, residuals, watched
from fast.layers import LI, LIF
from fast.losses import cross_entropy
from fast.run_folder import RunFolder
from fast.spike_files import SpikeData, read_spike_file
from fast.spikes import Spikes
from fast.tasks.shared import RESIDUALS, is_silenced, learning_rate, right_answers, silence
from reports.training import draw
from spec import SpecError
from spec.checks import whole_number
from spec.errors import Verbatim

CHANNELS, CLASSES, DURATION = 24, 27, 1350.0
SPLITS = ("train", "valid", "test")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this task."""
    parser.add_argument("--data", help="folder of braille_{train,valid,test}.h5 (default: $DELAYPROP_DATA)")
    parser.add_argument("--epochs", type=int, default=10, help="passes over the training split (default: %(default)s)")
    parser.add_argument("--hidden", type=int, default=128, help="hidden neurons (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=32, help="trials a step (default: %(default)s)")
    parser.add_argument("--lr", type=float, default=6e-3, help="Adam's step for weights (default: %(default)s)")
    parser.add_argument("--delay-lr", type=float, default=4.0, help="Adam's step for delays, ms (default: %(default)s)")
    parser.add_argument("--freeze-delays", action="store_true", help="learn weights only, at the delays drawn at first")


class Reader(nn.Module):
    """24 channels, hidden LIF neurons with long delays, 27 LI outputs."""

    def __init__(self, hidden: int, dtype: torch.dtype, generator: torch.Generator) -> None:
        super().__init__()
        self.hidden = LIF(CHANNELS, hidden, tau_mem=50.0, tau_syn=20.0, max_delay=DURATION, dtype=dtype)
        self.hidden.initialise_(0.3, 1.0, 300.0, generator)
        self.out = LI(
            hidden, CLASSES, readout="max_voltage", tau_mem=50.0, tau_syn=20.0, max_delay=DURATION, dtype=dtype
        )
        self.out.initialise_(0.0, 0.2, 0.0, generator)

    @property
    def layers(self) -> tuple[LIF, LI]:
        return self.hidden, self.out

    def forward(self, spikes: Spikes) -> tuple[Tensor, Spikes]:
        """The readout, and the hidden spikes."""
        inner = self.hidden(spikes)
        return self.out(inner), inner


def train(options: argparse.Namespace, dtype: torch.dtype) -> int:
    """Train, print, record and draw; 0 if the test accuracy is clearly above what spike counts give, 1 if not.

    Raises:
        SpecError: an option out of range, or data that are missing or damaged.
    """
    for name, high in (("epochs", 1_000_000), ("hidden", 1_000_000), ("batch", 1_000_000)):
        whole_number(getattr(options, name), f"--{name}", 1, high, "give a positive number")
    learning_rate(options.lr, "--lr")
    learning_rate(options.delay_lr, "--delay-lr", "ms")
    data = _read(options.data)
    folder = RunFolder(options.out, "braille")
    folder.write("options.json", vars(options))
    generator, random = torch.Generator().manual_seed(options.seed), np.random.default_rng(options.seed)
    network = Reader(options.hidden, dtype, generator).to(options.device)
    weights, delays = [layer.w for layer in network.layers], [layer.d for layer in network.layers]
    for d in delays:
        d.requires_grad_(not options.freeze_delays)
    groups: list[dict] = [{"params": weights, "lr": options.lr}, {"params": delays, "lr": options.delay_lr}]
    optimiser = torch.optim.Adam(groups[:1] if options.freeze_delays else groups)
    delays_before = network.hidden.d.flatten().tolist()
    print(f"braille, seed {options.seed}: {len(data['train'])} trials\n{RESIDUALS}; of the first step of each epoch")
    best, best_epoch, best_state = -1.0, 0, copy.deepcopy(network.state_dict())
    for epoch in range(1, options.epochs + 1):
        entry, found = _epoch(network, optimiser, data["train"], options, random)
        entry["valid_accuracy"], entry["valid_loss"] = _evaluate(network, data["valid"], options.batch)
        folder.append({"epoch": epoch, **entry, **vars(found)})
        print(_line(epoch, entry, found), flush=True)
        if entry["silent_steps"]:
            steps = math.ceil(len(data["train"]) / options.batch)
            print(silence("hidden", options.hidden, entry["silent_steps"], steps), flush=True)
        if entry["valid_accuracy"] > best:
            best, best_epoch, best_state = entry["valid_accuracy"], epoch, copy.deepcopy(network.state_dict())
    network.load_state_dict(best_state)
    state = io.BytesIO()  # in memory first: torch reports a full disk in ways of its own
    torch.save(best_state, state)
    folder.write_bytes("network.pt", state.getvalue())
    accuracy, _ = _evaluate(network, data["test"], options.batch)
    baseline = _count_baseline(data["train"], data["test"])
    margin = 3 * math.sqrt(accuracy * (1 - accuracy) / len(data["test"]))
    folder.write("result.json", {
        "task": "braille", "network": f"{CHANNELS}-{options.hidden}-{CLASSES}", "best_epoch": best_epoch,
        "test_accuracy": accuracy, "count_baseline": baseline,
        "delays_before": delays_before, "delays_after": network.hidden.d.flatten().tolist(),
    })  # fmt: skip
    chosen = f"epoch {best_epoch}, chosen on valid"
    print(f"\ntest accuracy {accuracy:.1%} ({chosen}); spike counts alone give {baseline:.1%}")
    with folder.writing():
        pictures = draw(folder.path)
    print(f"picture: {', '.join(pictures)}; record and network: {folder.path}")
    return 0 if accuracy - margin > baseline else 1


def _read(folder: str | None) -> dict[str, SpikeData]:
    where = folder or os.environ.get("DELAYPROP_DATA")
    if not where:
        remedy = "get them from Zenodo 7050094 in the layout of fast/spike_files.py, or set DELAYPROP_DATA"
        raise SpecError("--data", "the folder of braille_{train,valid,test}.h5", Verbatim("nothing"), remedy)
    paths = {split: Path(where) / f"braille_{split}.h5" for split in SPLITS}
    return {split: read_spike_file(path, CHANNELS, CLASSES, DURATION) for split, path in paths.items()}


def _epoch(
    network: Reader,
    optimiser: torch.optim.Optimizer,
    data: SpikeData,
    options: argparse.Namespace,
    random: np.random.Generator,
) -> tuple[dict, Residuals]:
    """One pass over the training split: its record, and the identity residuals of its first step."""
    started, losses, right = time.perf_counter(), 0.0, 0
    fired = torch.zeros(options.hidden, dtype=torch.float64, device=options.device)
    order = random.permutation(len(data))
    certificate, silent_steps = None, 0
    for first in range(0, len(order), options.batch):
        trials = order[first : first + options.batch]
        spikes, labels = data.batch(trials, DURATION)
        spikes, labels = spikes.to(options.device), labels.to(options.device)
        optimiser.zero_grad()
        with nullcontext() if certificate else watched(network.layers, spikes):
            y, inner = network(spikes)
            y.retain_grad()
            loss = cross_entropy(y, labels)
            loss.backward()
            assert y.grad is not None
            certificate = certificate or residuals(network.layers, spikes, y, y.grad)
        optimiser.step()
        for layer in network.layers:
            layer.project_()
        losses += float(loss.detach()) * len(trials)
        right += int(right_answers(y, labels).sum())
        fired += inner.counts().double().sum(0)
        silent_steps += is_silenced(spikes, inner)
    assert certificate is not None
    return {
        "train_loss": losses / len(order), "train_accuracy": right / len(order),
        "spikes_per_neuron": float(fired.mean()) / len(order), "silent": float((fired == 0).double().mean()),
        "silent_steps": silent_steps, "seconds": time.perf_counter() - started,
    }, certificate  # fmt: skip


def _line(epoch: int, entry: dict, certificate: Residuals) -> str:
    return (
        f"{epoch:3d}  loss {entry['train_loss']:.3f}  train {entry['train_accuracy']:.1%}  "
        f"valid {entry['valid_accuracy']:.1%}  spikes a neuron {entry['spikes_per_neuron']:.2f}  "
        f"silent {entry['silent']:.0%}  {certificate}  {entry['seconds']:.0f} s"
    )


@torch.no_grad()
def _evaluate(network: Reader, data: SpikeData, batch: int) -> tuple[float, float]:
    """Accuracy and loss."""
    right, losses = 0, 0.0
    for first in range(0, len(data), batch):
        trials = np.arange(first, min(first + batch, len(data)))
        spikes, labels = data.batch(trials, DURATION)
        spikes, labels = spikes.to(network.out.w.device), labels.to(network.out.w.device)
        y, _ = network(spikes)
        right += int(right_answers(y, labels).sum())
        losses += float(cross_entropy(y, labels)) * len(trials)
    return right / len(data), losses / len(data)


def _count_baseline(fit: SpikeData, test: SpikeData) -> float:
    """Test accuracy of logistic regression on spike counts: what there is to know without time."""
    counts = torch.from_numpy(fit.counts()).double()
    mean, sd = counts.mean(0), counts.std(0, correction=0)  # of these trials, one trial included
    sd = torch.where(sd > 0, sd, 1.0)  # a channel whose count never varies is 0 after `- mean`, on any scale
    coefficients = torch.zeros(CHANNELS + 1, CLASSES, dtype=torch.float64, requires_grad=True)
    labels = torch.from_numpy(fit.labels)

    def scores(x: Tensor) -> Tensor:
        return ((x - mean) / sd) @ coefficients[1:] + coefficients[0]

    def closure() -> Tensor:
        fitter.zero_grad()
        penalty = coefficients[1:].square().sum() / (20 * len(fit))  # C = 10
        loss = nn.functional.cross_entropy(scores(counts), labels) + penalty
        loss.backward()
        return loss

    fitter = torch.optim.LBFGS([coefficients], max_iter=500, line_search_fn="strong_wolfe")
    fitter.step(closure)
    y = scores(torch.from_numpy(test.counts()).double())
    return float(right_answers(y, torch.from_numpy(test.labels)).double().mean())
