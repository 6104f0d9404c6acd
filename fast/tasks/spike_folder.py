"""Data sets that are a folder of spike files, one a split."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from fast.data.spike_files import SpikeData, fingerprints, read_spike_file
from spec import SpecError
from spec.errors import Verbatim

FOLDER = "DELAYPROP_DATA"


def add_folder(parser: argparse.ArgumentParser, name: str, splits: Sequence[str]) -> None:
    """`--data`, the folder of the files."""
    parser.add_argument("--data", help=f"folder of {_files(name, splits)} (default: ${FOLDER})")


def read_folder(
    options: argparse.Namespace, name: str, splits: Sequence[str], channels: int, classes: int, duration: float,
    remedy: str,
) -> dict[str, SpikeData]:
    """The splits; their fingerprints join the options, so that a run is known by its data.

    Args:
        remedy: where the files are to be had.

    Raises:
        SpecError: no folder is named, or a file is missing or damaged.
    """
    where = options.data or os.environ.get(FOLDER)
    if not where:
        expected = f"the folder of {_files(name, splits)}"
        raise SpecError("--data", expected, Verbatim("nothing"), f"{remedy}, or set {FOLDER}")
    paths = {split: Path(where) / f"{name}_{split}.h5" for split in splits}
    data = {split: read_spike_file(path, channels, classes, duration) for split, path in paths.items()}
    options.data_sha256 = fingerprints(paths)
    return data


def _files(name: str, splits: Sequence[str]) -> str:
    return f"{name}_{{{','.join(splits)}}}.h5"
