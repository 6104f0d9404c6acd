"""Yin-Yang: the times of four spikes encode a point, and its class is its part of the symbol.

Construction of Kriener, Goeltz, Petrovici, "The Yin-Yang dataset" (NICE 2022): a disc of radius 0.5
around (0.5, 0.5), divided into yin, yang, and two dots of radius 0.1. A point is one trial: one
spike each for x, y, 1 - x and 1 - y, later for a larger value. All points are drawn from the seed:
5000 to train, 1000 to validate, 1000 to test, a third of each class.
"""

import argparse

import numpy as np

from delayprop.fast.data.spike_data import SpikeData, Splits
from delayprop.fast.training.classify import Classification
from delayprop.fast.training.job import Job
from delayprop.fast.training.processes import Processes
from delayprop.fast.training.settings import Settings

BIG, SMALL = 0.5, 0.1
YIN, YANG, DOT = 0, 1, 2
CHANNELS, CLASSES = 4, 3
EARLY, LATE, DURATION = 1.5, 20.0, 35.0  # ms: of values 0 and 1, and of a trial
POINTS = {"train": 5000, "valid": 1000, "test": 1000}
PRESETS = {
    "best": Settings(
        epochs=100, hidden=(30,), batch=50, tau_mem=5.0, tau_syn=2.5, w_mean=3.0, w_sd=1.5, out_sd=0.5, delay=10.0,
        rec_delay=10.0, max_delay=20.0, lr=2e-2, delay_lr=0.3, schedule="cosine",
    ),
    # As in the paper first spikes answer, and a hidden neuron spikes once. Step sizes and first
    # weights are ours: `results/paper.toml` has the paper's.
    "paper": Settings(
        epochs=40, hidden=(30,), constants=("v_reset=-1e6",), batch=150, duration=DURATION, readout="first_spike_time",
        loss="relative_spike_time_mse", w_mean=6.0, w_sd=3.0, out_mean=1.0, out_sd=0.5, out_delays=False, delay=10.0,
        max_delay=20.0, lr=3e-2, delay_lr=0.4, schedule="cosine", wake=0.05,
    ),
}
SETTINGS = Settings


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds nothing: this task has settings only."""


def prepare(job: Job[Settings], processes: Processes) -> Classification:
    trials = {split: spikes_of(*points(count, [job.seed, n])) for n, (split, count) in enumerate(POINTS.items())}
    return Classification(job, Splits(trials, {}), DURATION, processes)


def part_of(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The class of each point in the disc."""
    right, left = np.hypot(x - 1.5 * BIG, y - BIG), np.hypot(x - 0.5 * BIG, y - BIG)
    yin = (right <= SMALL) | ((SMALL < left) & (left <= 0.5 * BIG)) | ((y > BIG) & (right > 0.5 * BIG))
    return np.where((right < SMALL) | (left < SMALL), DOT, np.where(yin, YIN, YANG))


def points(count: int, seed: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Random points `[count, 2]` and their classes; each point is redrawn until its class fits."""
    random = np.random.default_rng(seed)
    classes, found = random.integers(0, CLASSES, count), np.empty((count, 2))
    missing = np.arange(count)
    while len(missing):
        x, y = random.uniform(0, 2 * BIG, (2, len(missing)))
        fits = (np.hypot(x - BIG, y - BIG) <= BIG) & (part_of(x, y) == classes[missing])
        found[missing[fits]] = np.stack([x, y], axis=1)[fits]
        missing = missing[~fits]
    return found, classes


def spikes_of(found: np.ndarray, classes: np.ndarray) -> SpikeData:
    """The trials of these points: one spike per channel."""
    times = EARLY + (LATE - EARLY) * np.concatenate([found, 1 - found], axis=1)
    order = np.argsort(times, axis=1, kind="stable")
    return SpikeData(list(np.take_along_axis(times, order, 1)), list(order), classes, CHANNELS, CLASSES)
