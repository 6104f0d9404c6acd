"""Yin-Yang: which part of the symbol a point lies in, told by the times of four spikes.

Construction of Kriener, Goeltz, Petrovici, "The Yin-Yang dataset" (NICE 2022): a disc of radius 0.5 around
(0.5, 0.5), divided into yin, yang, and two dots of radius 0.1. A point is one trial: a spike each for x, y, 1 - x and
1 - y, the later the larger. Everything is drawn from the seed: 5000 points to train, 1000 to validate, 1000 to test, a
third of each class.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from fast.data.spike_files import SpikeData
from fast.drawing.classification import draw
from fast.training.classify import Classification
from fast.training.model import Reader
from fast.training.processes import Processes
from fast.training.settings import Settings

BIG, SMALL = 0.5, 0.1
YIN, YANG, DOT = 0, 1, 2
CHANNELS, CLASSES = 4, 3
EARLY, LATE, DURATION = 1.5, 20.0, 35.0  # ms: of values 0 and 1, and of a trial
POINTS = {"train": 5000, "valid": 1000, "test": 1000}
PRESETS = {
    "best": Settings(
        epochs=100, hidden=(30,), batch=50, tau_mem=5.0, tau_syn=2.5, w_mean=3.0, w_sd=1.5, out_sd=0.5, delay=10.0,
        max_delay=20.0, lr=2e-2, delay_lr=0.3, schedule="cosine",
    ),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this task beside its settings: there are none."""


def prepare(options: argparse.Namespace, dtype: torch.dtype, processes: Processes) -> Classification:
    """The training, for the engine.

    Raises:
        SpecError: an option out of range.
    """
    settings = Settings.of(options)
    data = {split: spikes_of(*points(count, [options.seed, n])) for n, (split, count) in enumerate(POINTS.items())}
    network = Reader(CHANNELS, CLASSES, settings, dtype, options.seed)
    return Classification("yin-yang", settings, options, network, data, DURATION, draw, processes)


def part_of(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The class of each point within the disc."""
    right, left = np.hypot(x - 1.5 * BIG, y - BIG), np.hypot(x - 0.5 * BIG, y - BIG)
    yin = (right <= SMALL) | ((SMALL < left) & (left <= 0.5 * BIG)) | ((y > BIG) & (right > 0.5 * BIG))
    return np.where((right < SMALL) | (left < SMALL), DOT, np.where(yin, YIN, YANG))


def points(count: int, seed: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """So many points `[count, 2]`, and their classes: each class is drawn first, then points until one is in it."""
    random = np.random.default_rng(seed)
    wanted, found = random.integers(0, CLASSES, count), np.empty((count, 2))
    missing = np.arange(count)
    while len(missing):
        x, y = random.uniform(0, 2 * BIG, (2, len(missing)))
        fits = (np.hypot(x - BIG, y - BIG) <= BIG) & (part_of(x, y) == wanted[missing])
        found[missing[fits]] = np.stack([x, y], axis=1)[fits]
        missing = missing[~fits]
    return found, wanted


def spikes_of(found: np.ndarray, classes: np.ndarray) -> SpikeData:
    """A spike a channel and trial, in order of time."""
    times = EARLY + (LATE - EARLY) * np.concatenate([found, 1 - found], axis=1)
    order = np.argsort(times, axis=1, kind="stable")
    return SpikeData(list(np.take_along_axis(times, order, 1)), list(order), classes, CHANNELS, CLASSES)
