"""Spiking Speech Commands: 35 spoken words as spikes of 700 auditory channels, by many speakers.

Data of Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33 (2022), from zenkelab.org/resources: `ssc_train.h5`,
`ssc_valid.h5` and `ssc_test.h5` as they are published, in the layout of `fast.data.spike_files`. Spike times go in as they
are.
"""

from __future__ import annotations

import argparse

import torch

from fast.drawing.classification import draw
from fast.tasks.spike_folder import add_folder, read_folder
from fast.training.classify import Classification
from fast.training.model import Reader
from fast.training.processes import Processes
from fast.training.settings import Settings

CHANNELS, CLASSES, DURATION = 700, 35, 1400.0
SPLITS = ("train", "valid", "test")
PRESETS = {
    # Much as `shd` has it; nothing was tuned on these data.
    "best": Settings(
        epochs=20, hidden=(256,), batch=32, readout="exp_weighted_voltage", gain=100.0, w_mean=0.0, w_sd=0.2,
        inner_mean=0.0, inner_sd=0.3, out_sd=0.01, delay=100.0, lr=4e-3, delay_lr=5.0, schedule="cosine", shift=40,
        spikes_strength=5e-7, spikes_target=6.0, wake=0.05,
    ),
    # The paper's: two layers of 1024, the strength of the counts in the units of `fast.training.activity`.
    "paper": Settings(
        epochs=500, hidden=(1024, 1024), batch=256, readout="exp_weighted_voltage", w_mean=0.03, w_sd=0.01,
        inner_mean=0.02, inner_sd=0.03, out_sd=0.03, delay=50.0, lr=1e-3, delay_lr=0.1, ease_in=0.001,
        spikes_strength=2e-9, wake=0.002, shift=40, patience=15,
    ),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this task beside its settings."""
    add_folder(parser, "ssc", SPLITS)


def prepare(options: argparse.Namespace, dtype: torch.dtype, processes: Processes) -> Classification:
    """The training, for the engine.

    Raises:
        SpecError: an option out of range, or data that are missing or damaged.
    """
    settings = Settings.of(options)
    data = read_folder(options, "ssc", SPLITS, CHANNELS, CLASSES, DURATION, "get them from zenkelab.org/resources")
    network = Reader(CHANNELS, CLASSES, settings, dtype, options.seed)
    return Classification("ssc", settings, options, network, data, DURATION, draw, processes)
