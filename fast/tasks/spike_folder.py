"""Published data sets: a folder with one spike file per split."""

import argparse
import os
from dataclasses import dataclass, replace
from pathlib import Path

from delayprop.fast.data.spike_data import Splits
from delayprop.fast.data.spike_files import fingerprints, read_spike_file
from delayprop.fast.training.classify import Classification
from delayprop.fast.training.job import Job
from delayprop.fast.training.processes import Processes
from delayprop.fast.training.settings import Settings
from delayprop.spec.errors import SpecError, Verbatim

FOLDER = "DELAYPROP_DATA"


@dataclass(frozen=True)
class SpikeFolder:
    """The files `<name>_<split>.h5` of a data set, in the layout of `fast.data.spike_files`;
    `classes`: the most of them; `source`: where they are published, as the remedy of an error."""

    name: str
    splits: tuple[str, ...]
    channels: int
    classes: int
    duration: float
    source: str

    @property
    def files(self) -> str:
        """The file names, as messages show them."""
        return f"{self.name}_{{{','.join(self.splits)}}}.h5"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--data", help=f"folder of {self.files} (default: ${FOLDER})")

    def read(self, job: Job) -> Splits:
        """Reads the files in the folder `data`. Files that name their classes may have some of them
        alone, numbered from 0."""
        folder = job.data or os.environ.get(FOLDER)
        if not folder:
            expected, got = f"the folder of {self.files}", Verbatim("nothing")
            raise SpecError("--data", expected, got, f"{self.source}, or set {FOLDER}")
        assert isinstance(folder, str), "of one folder"
        paths = {split: Path(folder) / f"{self.name}_{split}.h5" for split in self.splits}
        sizes = self.channels, self.classes, self.duration
        data = {split: read_spike_file(path, *sizes) for split, path in paths.items()}
        names = [part.class_names for part in data.values() if part.class_names is not None]
        classes = self.classes if not names else len(names[0])
        if classes < 2:
            raise SpecError("extra/keys", "the names of at least 2 classes", list(names[0]), "one needs no network")
        for split, part in data.items() if len({*names}) == 1 else ():
            if part.labels.max() >= classes:
                expected, remedy = f"below {classes}, the number of classes that `extra/keys` names", "name them all"
                raise SpecError(f"{paths[split].name} labels", expected, int(part.labels.max()), remedy)
        return Splits({split: replace(part, classes=classes) for split, part in data.items()}, fingerprints(paths))

    def prepare(self, job: Job[Settings], processes: Processes) -> Classification:
        """The training, if the splits are `train`, `valid` and `test`."""
        return Classification(job, self.read(job), self.duration, processes)
