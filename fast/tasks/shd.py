"""Spiking Heidelberg Digits: spoken digits, English and German, as spikes of 700 auditory channels; 20 classes.

Data of Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33 (2022), from zenkelab.org/resources: `shd_train.h5` and
`shd_test.h5` as they are published, in the layout of `fast.data.spike_files`. Spike times go in as they are. The test split
has two speakers that the training split has not; so settings and epochs are chosen on speakers who are held out of
training. A last run may learn from all of them (`--valid-speakers --choose last`).
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from fast.data.spike_files import SpikeData, held_out
from fast.drawing.classification import draw
from fast.tasks.spike_folder import add_folder, read_folder
from fast.training.classify import Classification
from fast.training.model import Reader
from fast.training.processes import Processes
from fast.training.settings import Settings
from spec import SpecError
from spec.errors import Verbatim

CHANNELS, CLASSES, DURATION = 700, 20, 1400.0
SPLITS = ("train", "test")
SOURCE = "get them from zenkelab.org/resources and unpack them"
SHARE = 20  # one trial in so many is held out where no speaker is
PRESETS = {
    "best": Settings(
        epochs=20, hidden=(256,), batch=32, readout="exp_weighted_voltage", gain=100.0, w_mean=0.0, w_sd=0.2,
        inner_mean=0.0, inner_sd=0.3, out_sd=0.01, delay=100.0, lr=4e-3, delay_lr=5.0, schedule="cosine", shift=40,
        stretch=0.2, blend=0.3, spikes_strength=5e-7, spikes_target=6.0, wake=0.05,
    ),
    # `shd_ff` of the paper's code, its one layer of 512 (gain 1, mean over classes; the count's strength is theirs in
    # the units of `fast.training.activity`).
    "paper": Settings(
        epochs=500, hidden=(512,), batch=256, readout="exp_weighted_voltage", w_mean=0.03, w_sd=0.01, out_sd=0.03,
        delay=100.0, lr=1e-3, delay_lr=0.1, ease_in=0.001, spikes_strength=2e-8, wake=0.002, shift=40, blend=0.5,
        patience=15,
    ),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this task."""
    add_folder(parser, "shd", SPLITS)
    parser.add_argument(
        "--valid-speakers", type=int, nargs="*", default=[3, 6],
        help="held out of training (default: %(default)s); none: one trial in 20 is, of all speakers",
    )


def prepare(options: argparse.Namespace, dtype: torch.dtype, processes: Processes) -> Classification:
    """The training, for the engine.

    Raises:
        SpecError: an option out of range, or data that are missing or damaged.
    """
    settings = Settings.of(options)
    train, test = read_folder(options, "shd", SPLITS, CHANNELS, CLASSES, DURATION, SOURCE).values()
    if options.valid_speakers:
        data = split_by_speaker(train, test, options.valid_speakers)
    else:
        data = {**held_out(train, SHARE, options.seed), "test": test}
    network = Reader(CHANNELS, CLASSES, settings, dtype, options.seed)
    return Classification("shd", settings, options, network, data, DURATION, draw, processes)


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
