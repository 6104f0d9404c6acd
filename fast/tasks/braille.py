"""Braille letters read by touch: 24 event channels of a fingertip, 27 classes, about 40 spikes in 1.35 s.

Data of Mueller-Cleve et al., Front. Neurosci. 16:951164 (2022), Zenodo 7050094, as `braille_{train,valid,test}.h5`
in the layout of `fast.spike_files`. One hidden layer with learned weights and delays; the answer is the largest
maximum voltage of the output neurons.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch

from fast.spike_files import SpikeData, fingerprints, read_spike_file
from fast.training.classify import Classification
from fast.training.processes import Processes
from fast.training.reader import Reader
from fast.training.settings import Settings
from reports.training import draw
from spec import SpecError
from spec.errors import Verbatim

CHANNELS, CLASSES, DURATION = 24, 27, 1350.0
SPLITS = ("train", "valid", "test")
PRESETS = {
    "best": Settings(
        epochs=10, hidden=(128,), batch=32, tau_mem=50.0, tau_syn=20.0, w_mean=0.3, w_sd=1.0, out_sd=0.2, delay=300.0,
        max_delay=DURATION, lr=6e-3, delay_lr=4.0,
    ),
}  # fmt: skip


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this task."""
    parser.add_argument("--data", help="folder of braille_{train,valid,test}.h5 (default: $DELAYPROP_DATA)")


def prepare(options: argparse.Namespace, dtype: torch.dtype, processes: Processes) -> Classification:
    """The training, for the engine.

    Raises:
        SpecError: an option out of range, or data that are missing or damaged.
    """
    settings, data = Settings.of(options), _read(options)
    network = Reader(CHANNELS, CLASSES, settings, dtype, options.seed)
    return Classification("braille", settings, options, network, data, DURATION, draw, processes)


def _read(options: argparse.Namespace) -> dict[str, SpikeData]:
    where = options.data or os.environ.get("DELAYPROP_DATA")
    if not where:
        remedy = "get them from Zenodo 7050094 in the layout of fast/spike_files.py, or set DELAYPROP_DATA"
        raise SpecError("--data", "the folder of braille_{train,valid,test}.h5", Verbatim("nothing"), remedy)
    paths = {split: Path(where) / f"braille_{split}.h5" for split in SPLITS}
    data = {split: read_spike_file(path, CHANNELS, CLASSES, DURATION) for split, path in paths.items()}
    options.data_sha256 = fingerprints(paths.values())
    return data
