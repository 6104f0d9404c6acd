"""Speakers held out of training, for files with the speaker of each trial (`extra/speaker`)."""

import argparse

import numpy as np

from delayprop.fast.data.spike_data import SpikeData
from delayprop.spec.errors import SpecError, Verbatim


def add_options(parser: argparse.ArgumentParser, default: list[int], otherwise: str) -> None:
    """`--valid-speakers`, `--leave-one-speaker-out`; `otherwise`: validation without speakers."""
    add, what = parser.add_argument, "speakers held out of training"
    shown = " ".join(map(str, default)) or "none"
    add("--valid-speakers", type=int, nargs="*", default=default, help=f"{what} (default: {shown}); none: {otherwise}")
    what = "one training per speaker in OUT/speaker-N, without this speaker, to the last epoch; prints the accuracies"
    add("--leave-one-speaker-out", action="store_true", help=f"{what} on the speakers left out, and tests nothing")


def speakers_of(train: SpikeData, option: str) -> list[int]:
    """The speakers of the training file, at least two; `option`: the one that needs them."""
    if train.speakers is None:
        remedy = "get the complete file, or give `--valid-speakers` with no number"
        raise SpecError(option, "given for a training file with `extra/speaker`", Verbatim("one without"), remedy)
    found = sorted(set(train.speakers.tolist()))
    if len(found) < 2:
        raise SpecError(option, "given for several speakers", Verbatim(f"speaker {found[0]} alone"), "get others")
    return found


def split_by_speaker(train: SpikeData, test: SpikeData, speakers: list[int]) -> dict[str, SpikeData]:
    """The splits `train` without these speakers, `valid` of them alone, and `test`."""
    available = speakers_of(train, "--valid-speakers")
    if not set(speakers) < set(available):
        expected = f"some of the speakers in the file, {available}, not all"
        raise SpecError("--valid-speakers", expected, speakers, "name the speakers to hold out")
    out = np.isin(np.asarray(train.speakers), speakers)
    return {"train": train.where(~out), "valid": train.where(out), "test": test}
