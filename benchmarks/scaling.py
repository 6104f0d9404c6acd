"""`python -m benchmarks.scaling`: how time and memory of a training step grow with each size.

Each sweep changes one size of a `shd-like` network (`layers`: of a `deep` one). It checks its
smallest point as `benchmarks.speed` does, then measures every point. The results are printed as a
table, and written to `OUT/WHAT.jsonl` with one line per point, as `benchmarks.speed --json`.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.allowed_errors import WRONG, Disagreement
from benchmarks.command import cores, measured
from benchmarks.correctness import agree
from benchmarks.sizes import DEFAULTS, Sizes
from benchmarks.workloads import build
from delayprop.spec import SpecError
from delayprop.spec.command import OneLineParser
from delayprop.spec.errors import Verbatim

PROG = "python -m benchmarks.scaling"
REPEATS, PATIENCE = 3, 20.0  # steps, whose median counts; a step longer than 20 s is taken once
OF_A_SPIKE, OF_HIDDEN = 243, 68_000  # arrivals per input spike at hidden neurons, per trial at outputs


@dataclass(frozen=True)
class Sweep:
    """One size that changes.

    Attributes:
        axis: its name, with the unit.
        points: its values, from small to large.
        quick: the largest value of a quick run.
        sizes: the configuration at a value.
        measures: key of its measured value, where this may differ from the value asked for.
    """

    axis: str
    points: tuple[float, ...]
    quick: float
    sizes: Callable[[float], Sizes]
    measures: str | None = None


def _shd(**changed: object) -> Sizes:
    return dataclasses.replace(DEFAULTS["shd-like"], w_means=None, **changed)  # type: ignore[arg-type]


def _arrivals(count: float) -> Sizes:
    """About `count` arrivals: one trial with fewer input spikes, or several trials."""
    batch = max(1, round(count / (8000 * OF_A_SPIKE + OF_HIDDEN)))
    return _shd(batch=batch, spikes=min(8000, round((count - OF_HIDDEN) / OF_A_SPIKE)))


def _deep(layers: float) -> Sizes:
    return dataclasses.replace(DEFAULTS["deep"], w_means=None, batch=8, hidden=128, layers=int(layers))


SWEEPS = {
    "arrivals": Sweep(
        "arrivals per step", (1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8, 3e8, 1e9), 1e7, _arrivals, "arrivals"
    ),
    "delays": Sweep(
        "largest delay, ms", (62.0, 125.0, 250.0, 500.0, 1000.0), 1000.0,
        lambda ms: _shd(batch=4, max_delay=ms, duration=2000.0, window=1000.0),
    ),
    "neurons": Sweep(
        "hidden neurons", (64, 128, 256, 512, 1024, 2048, 4096), 512, lambda n: _shd(batch=4, hidden=int(n))
    ),
    "layers": Sweep("hidden layers", (1, 2, 4, 8, 16), 4, _deep),
    "threads": Sweep("threads", (1, 2, 4, 8, 16, 32, 64), 64, lambda n: _shd(batch=32)),
    "duration": Sweep(
        "duration of a trial, ms (8000 input spikes each)", (125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0),
        4000.0, lambda ms: _shd(batch=4, duration=ms),
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; exit codes as of `benchmarks.speed`."""
    parser = OneLineParser(PROG, "Measure how time and memory of a training step grow with its size.")
    parser.add_argument("--what", choices=tuple(SWEEPS), action="append", help="sweep; may be repeated (default: all)")
    parser.add_argument("--quick", action="store_true", help="leave out the large points")
    parser.add_argument("--out", default="runs/scaling", help="folder for the records (default: %(default)s)")
    return parser.run(_run, argv, {Disagreement: WRONG})


def _run(options: argparse.Namespace) -> int:
    folder = Path(options.out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for what in options.what or tuple(SWEEPS):
            sweep(what, options.quick, folder)
    except OSError as error:
        reason = Verbatim(f"{error.strerror or error}: {options.out}")
        raise SpecError("--out", "a folder with room for records", reason, "name another, or make room") from None
    return 0


def sweep(what: str, quick: bool, folder: Path) -> None:
    """Run one sweep: print and record its measurements.

    Raises:
        Disagreement: the smallest point is not computed right.
        OSError: the folder cannot be written to.
    """
    asked, before = SWEEPS[what], torch.get_num_threads()
    points = [x for x in asked.points if (x <= asked.quick or not quick) and (what != "threads" or x <= cores())]
    agree(build(asked.sizes(points[0])))
    print(f"{asked.axis}\n{HEAD}")
    try:
        with (folder / f"{what}.jsonl").open("w", encoding="utf-8") as record:
            for x in points:
                if what == "threads":
                    torch.set_num_threads(int(x))
                measurement = measured(build(asked.sizes(x)), REPEATS, PATIENCE)
                found = {"what": what, "x": measurement[asked.measures] if asked.measures else x, **measurement}
                record.write(json.dumps(found, allow_nan=False) + "\n")
                record.flush()
                print(_row(found), flush=True)
    finally:
        torch.set_num_threads(before)
    print()


HEAD = f"{'x':>12} {'arrivals':>9} {'forward s':>10} {'backward s':>10} {'ns/arrival':>15} {'peak MB':>7} {'spikes':>6}"


def _row(found: dict) -> str:
    per, peak = found["nanoseconds_per_arrival"], found["peak_added_mb"]
    both = f"{per['forward']:.2f} + {per['backward']:.2f}" if found["arrivals"] else "-"
    return (
        f"{found['x']:12.6g} {found['arrivals']:9.3g} "
        f"{found['seconds_forward']:10.4g} {found['seconds_backward']:10.4g} {both:>15} "
        f"{'-' if peak is None else format(peak, '.0f'):>7} {found['hidden_spikes_per_trial']:6.2f}"
    )


if __name__ == "__main__":
    sys.exit(main())
