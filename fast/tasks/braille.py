"""Braille letters read by touch: 24 event channels of a fingertip, 27 classes, about 40 spikes in 1.35 s.

Data of Mueller-Cleve et al., Front. Neurosci. 16:951164 (2022), Zenodo 7050094, as `braille_{train,valid,test}.h5`
in the layout of `fast.data.spike_files`.
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

CHANNELS, CLASSES, DURATION = 24, 27, 1350.0
SPLITS = ("train", "valid", "test")
SOURCE = "get them from Zenodo 7050094 in the layout of fast/data/spike_files.py"
PRESETS = {
    "best": Settings(
        epochs=25, hidden=(256,), batch=32, tau_mem=50.0, tau_syn=20.0, readout="exp_weighted_voltage", gain=100.0,
        w_mean=0.3, w_sd=1.0, inner_mean=0.0, inner_sd=0.5, out_sd=0.01, delay=600.0, max_delay=DURATION, lr=6e-3,
        delay_lr=4.0, schedule="cosine", spikes_strength=1e-5, spikes_target=4.0, stretch=0.05, drop=0.05,
    ),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this task."""
    add_folder(parser, "braille", SPLITS)


def prepare(options: argparse.Namespace, dtype: torch.dtype, processes: Processes) -> Classification:
    """The training, for the engine.

    Raises:
        SpecError: an option out of range, or data that are missing or damaged.
    """
    settings = Settings.of(options)
    data = read_folder(options, "braille", SPLITS, CHANNELS, CLASSES, DURATION, SOURCE)
    network = Reader(CHANNELS, CLASSES, settings, dtype, options.seed)
    return Classification("braille", settings, options, network, data, DURATION, draw, processes)
