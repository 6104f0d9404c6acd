"""`python -m results FOLDER...`: print one line of JSON for each finished run.

The line of a run with `--no-test` has no accuracy on the test split. A run must have certified its
steps: its line has the largest error of a trial in float32 against float64, `float64`.
"""

import argparse
import json
import math
import platform
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from delayprop.fast.runs.saved_runs import HOW_IT_RAN, Run, check_classifies, check_network
from delayprop.fast.training.checkpoints import Checkpoints, check_content, digest
from delayprop.spec import SpecError
from delayprop.spec.command import OneLineParser, run_and_exit
from delayprop.spec.errors import Verbatim

OF_THE_TEST = ("test_accuracy", "count_baseline", "trials_sha256", "wrong")


def entry(folder: Path) -> dict:
    """The result of a finished run; `SpecError`: the folder holds no finished run of a task that
    classifies, or a damaged one, or one whose steps were not certified."""
    run = Run(folder)
    check_classifies(run)
    check_network(run)
    options, result, log = run.options, run.result, run.history
    state, damage = Checkpoints(folder, own=False).load(partial(check_content, steps=math.inf))
    training = state["training"]
    epochs = training["ended"] or options["epochs"]
    lack = damage[0] if damage else f"{len(log)} of {epochs} epochs" if len(log) != epochs else ""
    if lack:
        raise SpecError(str(folder), "the folder of a finished run", Verbatim(lack), "let it finish, or --resume it")
    if not options["certify"]:
        raise SpecError(str(folder), "a run that certifies its steps", Verbatim("`--certify 0`"), "leave that out")
    best = next(line for line in log if line["epoch"] == training["best"]["epoch"])
    return {
        **{name: value for name, value in options.items() if name not in HOW_IT_RAN},
        "network": _sizes(training["network"]), "best_epoch": best["epoch"],
        **{name: result[name] for name in OF_THE_TEST if name in result},
        "train_accuracy": best["train_accuracy"], "valid_accuracy": best["valid_accuracy"],
        "float64": max((line["float64"] for line in log if line.get("float64") is not None), default=None),
        "seconds": round(sum(line["seconds"] for line in log), 1), "machine": platform.machine(),
        "state_sha256": digest(training),
    }


def _sizes(parameters: Mapping[str, Any]) -> str:
    """The size of each layer, as in `700-256-20`, from the weights onto each."""
    shapes = [weights.shape for name, weights in parameters.items() if name.endswith(".w")]
    return "-".join(map(str, [shapes[0][0], *(post for _, post in shapes)]))


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; the exit code."""
    parser = OneLineParser("python -m results", "Print one line of JSON for each finished run.")
    parser.add_argument("folders", metavar="FOLDER", nargs="+", type=Path, help="the --out of a run")
    return parser.run(_print, argv)


def _print(options: argparse.Namespace) -> int:
    print("\n".join([json.dumps(entry(folder)) for folder in options.folders]))
    return 0


if __name__ == "__main__":
    run_and_exit(main)
