"""Spiking Heidelberg Digits: spoken digits, English and German, as spikes of 700 auditory channels; 20 classes.

Data of Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33 (2022), from zenkelab.org/resources: `shd_train.h5` and
`shd_test.h5` as they are published, in the layout of `fast.spike_files`. Spike times go in as they are. The test split
has two speakers that the training split has not; so the epoch is chosen on speakers who are held out of training.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from fast.spike_files import SpikeData, read_spike_file
from fast.training.classify import Classification
from fast.training.reader import Build, Reader
from fast.training.shared import add_class_options, check_class_options
from reports.training import draw
from spec import SpecError
from spec.errors import Verbatim

CHANNELS, CLASSES, DURATION = 700, 20, 1400.0
BUILD = Build(20.0, 5.0, 1000.0, 100.0, hidden_weights=(0.03, 0.01), output_weights=(0.0, 0.03))


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this task."""
    parser.add_argument("--data", help="folder of shd_{train,test}.h5 (default: $DELAYPROP_DATA)")
    parser.add_argument(
        "--valid-speakers", type=int, nargs="+", default=[3, 6], help="held out of training (default: %(default)s)"
    )
    add_class_options(parser, epochs=20, hidden=256, batch=32, lr=1e-3, delay_lr=1.0, delay=BUILD.delay)


def prepare(options: argparse.Namespace, dtype: torch.dtype) -> Classification:
    """The training, for the engine.

    Raises:
        SpecError: an option out of range, or data that are missing or damaged.
    """
    check_class_options(options, BUILD.max_delay)
    data = split_by_speaker(*_read(options.data), options.valid_speakers)
    network = Reader(CHANNELS, [options.hidden], CLASSES, replace(BUILD, delay=options.delay), dtype, options.seed)
    return Classification("shd", options, network, data, DURATION, draw)


def split_by_speaker(train: SpikeData, test: SpikeData, held_out: list[int]) -> dict[str, SpikeData]:
    """`train` without these speakers, `valid` of them alone, and `test`.

    Raises:
        SpecError: the file does not say who speaks, or one of them is not there, or nobody else is.
    """
    if train.speakers is None:
        raise SpecError("shd_train.h5", "a file with `extra/speaker`", Verbatim("one without"), "get the file whole")
    there = sorted(set(train.speakers.tolist()))
    if not set(held_out) < set(there):
        expected = f"some of the speakers who are there, {there}, not all"
        raise SpecError("--valid-speakers", expected, held_out, "name those to hold out")
    out = np.isin(train.speakers, held_out)
    return {"train": train.where(~out), "valid": train.where(out), "test": test}


def _read(folder: str | None) -> tuple[SpikeData, SpikeData]:
    where = folder or os.environ.get("DELAYPROP_DATA")
    if not where:
        remedy = "get them from zenkelab.org/resources and unpack them, or set DELAYPROP_DATA"
        raise SpecError("--data", "the folder of shd_{train,test}.h5", Verbatim("nothing"), remedy)
    train, test = (
        read_spike_file(Path(where) / f"shd_{name}.h5", CHANNELS, CLASSES, DURATION) for name in ("train", "test")
    )
    return train, test
