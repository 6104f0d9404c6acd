"""A finished run, opened again: its network, and its data where they still are."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import torch

from fast.run import DTYPES
from fast.train import CLASSIFYING
from fast.training.classify import Classification
from fast.training.processes import Processes
from fast.training.run_folder import LOG, OPTIONS
from spec import SpecError
from spec.errors import Verbatim


def records(folder: Path) -> tuple[dict, dict, list[dict]]:
    """Options, result and log of a run.

    Raises:
        SpecError: it has not finished, or its files cannot be read.
    """
    try:
        options, result = (json.loads((folder / name).read_text(encoding="utf-8")) for name in (OPTIONS, "result.json"))
        log = [json.loads(line) for line in (folder / LOG).read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise SpecError(str(folder), "the folder of a finished run", Verbatim(error), "let it finish") from None
    return options, result, log


def opened(folder: Path, data: list[str] | None = None) -> Classification:
    """The training of a run with the network that it has chosen.

    Args:
        data: where the data are, if not where they were; other data are another matter, and are said.

    Raises:
        SpecError: no finished run that classifies, or data that are not there.
    """
    options, _, _ = records(folder)
    if options.get("task") not in CLASSIFYING:
        expected = f"the run of a task that classifies, {', '.join(CLASSIFYING)}"
        raise SpecError(str(folder), expected, Verbatim(options.get("task")), "name another run")
    before = options.pop("data_sha256", None)
    given = argparse.Namespace(**options)
    if data is not None:
        given.data = data if isinstance(options.get("data"), list) else data[0]
    try:
        training = CLASSIFYING[given.task].prepare(given, DTYPES[given.dtype], Processes())
        content = (folder / "network.pt").read_bytes()
        training.network.load_state_dict(torch.load(io.BytesIO(content), weights_only=True))
    except SpecError:
        raise
    except Exception as error:  # an option that is not there, a network of another shape: torch has no one type for it
        got = Verbatim(f"{folder} ({type(error).__name__}: {error})")
        raise SpecError("RUN", "the folder of a run of this version", got, "train it anew") from None
    now = getattr(given, "data_sha256", None)
    if now != before:
        print(f"the data are not those of the run: {now}, it had {before}")
    return training
