"""Braille letters read by touch: 24 event channels of a fingertip, 27 classes, about 40 spikes in 1.35 s.

Data of Mueller-Cleve et al., Front. Neurosci. 16:951164 (2022), Zenodo 7050094, as `braille_{train,valid,test}.h5`
in the layout of `fast.spike_files`. One hidden layer with learned weights and delays; the answer is the largest
maximum voltage of the output neurons.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import torch

from fast.spike_files import SpikeData, read_spike_file
from fast.training.classify import Classification
from fast.training.reader import Build, Reader
from fast.training.shared import add_class_options, check_class_options
from reports.training import draw
from spec import SpecError
from spec.errors import Verbatim

CHANNELS, CLASSES, DURATION = 24, 27, 1350.0
SPLITS = ("train", "valid", "test")
BUILD = Build(50.0, 20.0, DURATION, 300.0, hidden_weights=(0.3, 1.0), output_weights=(0.0, 0.2))


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this task."""
    parser.add_argument("--data", help="folder of braille_{train,valid,test}.h5 (default: $DELAYPROP_DATA)")
    add_class_options(parser, epochs=10, hidden=128, batch=32, lr=6e-3, delay_lr=4.0, delay=BUILD.delay)


def prepare(options: argparse.Namespace, dtype: torch.dtype) -> Classification:
    """The training, for the engine.

    Raises:
        SpecError: an option out of range, or data that are missing or damaged.
    """
    check_class_options(options, BUILD.max_delay)
    data = _read(options.data)
    network = Reader(CHANNELS, [options.hidden], CLASSES, replace(BUILD, delay=options.delay), dtype, options.seed)
    return Classification("braille", options, network, data, DURATION, draw)


def _read(folder: str | None) -> dict[str, SpikeData]:
    where = folder or os.environ.get("DELAYPROP_DATA")
    if not where:
        remedy = "get them from Zenodo 7050094 in the layout of fast/spike_files.py, or set DELAYPROP_DATA"
        raise SpecError("--data", "the folder of braille_{train,valid,test}.h5", Verbatim("nothing"), remedy)
    paths = {split: Path(where) / f"braille_{split}.h5" for split in SPLITS}
    return {split: read_spike_file(path, CHANNELS, CLASSES, DURATION) for split, path in paths.items()}
