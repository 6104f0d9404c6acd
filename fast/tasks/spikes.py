"""Your own spike files: labelled trials, in the layout of `fast.data.spike_files`.

Channels, classes and the duration of a trial follow from the files. `--w-mean` and `--w-sd` are in
units of `1 / (rate tau_syn)`, the weight that brings a hidden neuron near its threshold at the mean
rate of the input. Long delays spread the input: `--rate` then raises the weights.
"""

import argparse
import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from delayprop.fast.data.spike_data import LONG, SpikeData, Splits, held_out
from delayprop.fast.data.spike_files import PER_SECOND, fingerprints, read_spike_file
from delayprop.fast.tasks.speakers import add_options as add_speaker_options
from delayprop.fast.tasks.speakers import speakers_of, split_by_speaker
from delayprop.fast.training.classify import Classification
from delayprop.fast.training.job import Job
from delayprop.fast.training.processes import Processes
from delayprop.fast.training.settings import Settings
from delayprop.spec import SpecError
from delayprop.spec.errors import Verbatim

SHARE = 10  # one trial in 10 is held out for validation, if no file is given for it
MOST_CLASSES = 1000  # the record and the page have a number for each pair of a class and an answer
MOST_CHANNELS = 2**20  # a weight each per hidden neuron
LONGEST, SHORTEST = 3.6e6, 1e-3  # ms; an hour, and a microsecond: the bounds of a trial and of times that matter
LAYOUT = "`delayprop.write_spike_file` writes such files"
PRESETS = {
    "best": Settings(
        epochs=20, hidden=(128,), batch=32, rate=3.0, w_mean=1.0, w_sd=1.0, inner_mean=0.0, inner_sd=0.3, out_sd=0.09,
        delay=30.0, max_delay=100.0, lr=2e-3, delay_lr=1.0,
    ),
}
SETTINGS = Settings


def add_options(parser: argparse.ArgumentParser) -> None:
    what = f"TRAIN TEST, or TRAIN VALID TEST; without VALID one trial in {SHARE} of TRAIN is held out"
    parser.add_argument("--data", nargs="+", metavar="FILE", default=[], help=what)
    add_speaker_options(parser, [], f"the file VALID, or one trial in {SHARE}")


def prepare(job: Job[Settings], processes: Processes) -> Classification:
    settings, paths = job.settings, _files(job)
    trials, duration = read(paths, job.seed, settings.duration or None, job.valid_speakers)
    splits = ("train", "valid", "test") if len(paths) == 3 else ("train", "test")
    sha256 = fingerprints(dict(zip(splits, paths, strict=True)))
    if sha256["test"] in [sha256[split] for split in splits[:-1]]:
        raise SpecError("--data", "", "has the trials of its test file twice", "keep them out of TRAIN and VALID")
    unit = 1.0 / (rate(trials["train"]) * settings.tau_syn)
    initial = replace(settings, w_mean=settings.w_mean * unit, w_sd=settings.w_sd * unit)
    return Classification(job, Splits(trials, sha256), duration, processes, initial)


def train_speakers(job: Job[Settings]) -> list[int]:
    """The speakers of the training file."""
    paths, option = _files(job), "--leave-one-speaker-out"
    if len(paths) == 3:
        raise SpecError(option, "left out with a file VALID", Verbatim("both"), "give TRAIN and TEST alone")
    data, _ = read(paths, job.seed, job.settings.duration or None)
    return speakers_of(data["train"], option)


def _files(job: Job) -> list[Path]:
    """TRAIN and TEST, with VALID between them or without."""
    paths = [Path(path) for path in job.data or ()]
    if len(paths) not in (2, 3):
        expected = "two files, TRAIN TEST, or three, TRAIN VALID TEST"
        raise SpecError("--data", expected, Verbatim(f"{len(paths)} files"), LAYOUT)
    return paths


def read(
    paths: list[Path], seed: int, given: float | None = None, speakers: list[int] | None = None
) -> tuple[dict[str, SpikeData], float]:
    """The splits, and the last spike time and a tenth, the duration of a trial if none is `given`.
    `speakers`: of the training file, held out of it for validation."""
    latest = math.inf if given is None else LONGEST  # `_check_unit` refuses more than a minute without a duration
    found = [read_spike_file(path, MOST_CHANNELS, MOST_CLASSES, latest) for path in paths]
    for path, data in zip(paths, found, strict=True):
        _check_times(path.name, data)
        if given is None:
            _check_unit(path.name, data)
    channels = 1 + max(int(units.max()) for data in found for units in data.units if len(units))
    classes = max(1 + int(data.labels.max()) for data in found)
    classes = max(classes, *(len(data.class_names or ()) for data in found))  # a named class may have no trial
    last = max(float(times[-1]) for data in found for times in data.times if len(times))
    duration = 1.1 * last
    found = [replace(data, channels=channels, classes=classes) for data in found]
    if speakers:
        if len(found) == 3:
            raise SpecError("--valid-speakers", "left out with a file VALID", speakers, "give TRAIN and TEST alone")
        return split_by_speaker(found[0], found[1], speakers), duration
    if len(found) == 3:
        return dict(zip(("train", "valid", "test"), found, strict=True)), duration
    if len(found[0]) == 1:
        got = Verbatim("one trial")
        raise SpecError(f"{paths[0].name}", "at least two trials", got, "one is held out for validation")
    return {**held_out(found[0], SHARE, seed), "test": found[1]}, duration


def _check_times(name: str, data: SpikeData) -> None:
    """Refuses times that are no times: the first weights follow from them, and would be silent."""
    if not any(times.any() for times in data.times):
        raise SpecError(name, "trials with spikes after 0", Verbatim("none"), LAYOUT)
    last = [float(times[-1]) if len(times) else 0.0 for times in data.times]
    if max(last) < SHORTEST:
        got = Verbatim(f"{max(last):.3g} ms in record {int(np.argmax(last))}, the latest")
        raise SpecError(f"{name} times", f"in s, some of them later than {SHORTEST} ms", got, LAYOUT)
    for n, times in enumerate(data.times):
        if len(times) > 1 and 0 < times[-1] - times[0] < SHORTEST / 1000:
            got = Verbatim(f"{times[-1] - times[0]:.3g} ms")
            expected = f"equal, or at least {SHORTEST / 1000} ms apart from first to last"
            raise SpecError(f"{name} record {n} times", expected, got, LAYOUT)


def _check_unit(name: str, data: SpikeData) -> None:
    """Refuses trials of more than a minute, unless their duration is given: few trials last so
    long, but one of 0.06 s seems to, if its times are in ms. The message names the unit in which
    the longest trial is nearer to a second."""
    last = [float(times[-1]) if len(times) else 0.0 for times in data.times]
    if (longest := max(last)) > LONG:
        seconds = longest / 1000
        unit = min(("ms", "us"), key=lambda unit: abs(math.log(seconds / PER_SECOND[unit])))
        got = Verbatim(f"{seconds:.6g}, which looks like {unit}")
        remedy = f'write it by `write_spike_file(..., unit="{unit}")`'
        if longest < LONGEST:
            remedy += ", or give --duration if trials last so long"
        raise SpecError(f"{name} record {last.index(longest)} times", "in s", got, remedy)


def rate(data: SpikeData) -> float:
    """Input spikes per ms between the first and the last of a trial; mean over trials."""
    rates = [len(t) / (t[-1] - t[0]) for t in data.times if len(t) > 1 and t[-1] > t[0]]
    if not rates:
        got = Verbatim("none with two spikes at two times")
        raise SpecError("--data", "trials with spikes", got, "there is nothing to learn from")
    return float(np.mean(rates))
