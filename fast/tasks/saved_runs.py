"""A finished run, opened again: its network, and its data where they still are."""

from __future__ import annotations

import argparse
import io
import json
import math
import sys
from pathlib import Path

import torch

from fast.run import DTYPES
from fast.train import CLASSIFYING
from fast.training.classify import Classification
from fast.training.processes import Processes
from fast.training.run_folder import LOG, OPTIONS
from spec import SpecError
from spec.errors import Verbatim

HOW_IT_RAN = frozenset({"out", "resume", "save_seconds", "data", "workers", "tensorboard", "test"})
"""Options that change nothing of what a run reaches."""


def records(folder: Path) -> tuple[dict, dict, list[dict]]:
    """Options, result and log of a run.

    Raises:
        SpecError: it has not finished, or its files cannot be read.
    """
    try:
        options, result = (json.loads((folder / name).read_text(encoding="utf-8")) for name in (OPTIONS, "result.json"))
        log = [json.loads(line) for line in (folder / LOG).read_text(encoding="utf-8").splitlines()]
        if not (isinstance(options, dict) and isinstance(options.get("seed"), int) and isinstance(result, dict)):
            raise ValueError("options or a result that are none")
        if "test_accuracy" in result:
            sums = [float(line["valid_accuracy"]) + float(line["seconds"]) for line in log]
            if not sums or not math.isfinite(sum(sums) + float(result["test_accuracy"])):
                raise ValueError("a log without epochs, or with numbers that are none")
    except (OSError, ValueError, TypeError, KeyError) as error:
        got = Verbatim(f"{type(error).__name__}: {error}")
        raise SpecError(str(folder), "the folder of a finished run", got, "let it finish") from None
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
        if not isinstance(options.get("data"), list) and len(data) > 1:
            raise SpecError("--data", "one folder, for this task", Verbatim(f"{len(data)} words"), "name one")
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
        print(f"the data are not those of the run: {now}, it had {before}", file=sys.stderr)
    return training
