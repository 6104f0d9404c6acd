"""Spiking Heidelberg Digits: 20 spoken digits, English and German, in 700 auditory channels.

Data of Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33 (2022), from zenkelab.org/resources:
`shd_train.h5` and `shd_test.h5` as published, in the layout of `fast.data.spike_files`. Two
speakers are in the test split alone. So settings and epochs are chosen on speakers that are held
out of training. A final run may learn from all speakers (`--valid-speakers --choose last`).
"""

import argparse
from dataclasses import replace

from delayprop.fast.data.spike_data import Splits, held_out
from delayprop.fast.nn.synaptic_layer import LEAST_RECURRENT_DELAY
from delayprop.fast.tasks.speakers import add_options as add_speaker_options
from delayprop.fast.tasks.speakers import speakers_of, split_by_speaker
from delayprop.fast.tasks.spike_folder import SpikeFolder
from delayprop.fast.training.classify import Classification
from delayprop.fast.training.job import Job
from delayprop.fast.training.processes import Processes
from delayprop.fast.training.settings import Settings

DATA = SpikeFolder(
    "shd", ("train", "test"), channels=700, classes=20, duration=1400.0,
    source="get them from zenkelab.org/resources and unpack them",
)
SHARE = 20  # one trial in 20 is held out where no speaker is
# One layer of 512 as in the paper's code; the strength in the units of `fast.training.activity`.
# `results/paper.toml` has the paper's settings, and the differences that are left.
PAPER = Settings(
    epochs=500, hidden=(512,), batch=256, duration=1000.0, readout="exp_weighted_voltage", w_mean=0.03, w_sd=0.01,
    out_sd=0.03, out_delays=False, delay=100.0, lr=1e-3, delay_lr=0.1, ease_in=0.01, spikes_strength=2e-8, wake=0.002,
    shift=40, blend_more=7644 / 8156, patience=15, patience_on="train", choose="last",
)
BEST = Settings(
    epochs=40, hidden=(256,), pool=5, batch=32, readout="exp_weighted_voltage", gain=100.0, w_mean=0.0, w_sd=0.2,
    inner_mean=0.0, inner_sd=0.3, out_sd=0.01, delay=250.0, max_delay=300.0, lr=4e-3, delay_lr=1.0, schedule="cosine",
    warm_up=0.5, average=0.999, dropout=0.2, shift=40, blend=0.3, spikes_strength=1e-6, spikes_target=10.0, wake=0.05,
)
PRESETS = {
    "best": BEST, "two-layers": replace(BEST, hidden=(128, 128), rate=15.0),  # the second begins with spikes too
    "paper-ff": PAPER, "paper-rec": replace(PAPER, recurrent=True, rec_delay=LEAST_RECURRENT_DELAY, delay=150.0),
}
SETTINGS = Settings


def add_options(parser: argparse.ArgumentParser) -> None:
    DATA.add_options(parser)
    add_speaker_options(parser, [3, 6], f"one trial in {SHARE}, of all speakers")


def prepare(job: Job[Settings], processes: Processes) -> Classification:
    return Classification(job, splits(job), DATA.duration, processes)


def splits(job: Job) -> Splits:
    """The splits `train`, `valid` and `test` that the job asks for."""
    trials, sha256 = DATA.read(job)
    if job.valid_speakers:
        return Splits(split_by_speaker(trials["train"], trials["test"], job.valid_speakers), sha256)
    return Splits({**held_out(trials["train"], SHARE, job.seed), "test": trials["test"]}, sha256)


def train_speakers(job: Job) -> list[int]:
    """The speakers of the training file."""
    return speakers_of(DATA.read(job).trials["train"], "--leave-one-speaker-out")
