"""Spike files of a small task, as `fast.data.spike_files` reads them."""

from pathlib import Path

import h5py
import numpy as np

CHANNELS, CLASSES, DURATION = 24, 27, 1350.0


def write(path: Path, times: list[np.ndarray], units: list[np.ndarray], labels: np.ndarray) -> None:
    """Writes a file of the layout of the Spiking Heidelberg Digits; times in seconds."""
    with h5py.File(path, "w") as file:
        for name, rows, dtype in (("times", times, np.float32), ("units", units, np.uint16)):
            data = file.create_dataset(f"spikes/{name}", (len(rows),), dtype=h5py.vlen_dtype(dtype))
            for n, row in enumerate(rows):
                data[n] = row.astype(dtype)
        file.create_dataset("labels", data=labels)


def small_trials(count: int, seed: int) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Trials of two classes with equal counts: two bursts, whose order is the class."""
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.uint16) % 2
    times, units = [], []
    for label in labels:
        t = np.concatenate([random.uniform(0.10, 0.12, 6), random.uniform(0.30, 0.32, 6)])
        u = np.repeat([4 * label, 4 - 4 * label], 6) + np.tile(np.arange(3), 4)
        order = np.argsort(t)
        times.append(t[order])
        units.append(u[order])
    return times, units, labels


def splits(folder: Path, count: int, *names: str) -> list[str]:
    """Writes a file of so many trials per name, each of its own seed; returns the paths."""
    for seed, name in enumerate(names):
        write(folder / f"{name}.h5", *small_trials(count, seed))
    return [str(folder / f"{name}.h5") for name in names]
