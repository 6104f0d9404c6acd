"""`python -m benchmarks.grid`: measure the cost of a grid for gradients and training, as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.command import guarded, use_threads
from benchmarks.grid import study, training
from benchmarks.grid.measure import DTS
from delayprop.spec import SpecError
from delayprop.spec.command import OneLineParser, run_and_exit
from delayprop.spec.errors import Verbatim

PROG = "python -m benchmarks.grid"
FORMAT = "delayprop-grid/1"
SEEDS = 10
YIN_YANG_WAYS = (training.PUBLISHED, training.Way(1 / 8), training.Way(1 / 8, True))


def gradients(quick: bool) -> dict[str, Any]:
    """The study of gradients."""
    found = study.groups(quick)
    return {"networks": found, "summary": study.summary(found)}


def interval(quick: bool) -> dict[str, Any]:
    """The interval task, trained with either gradient."""
    runs = training.interval_runs(range(1), (1.0,), steps=30) if quick else training.interval_runs(range(SEEDS))
    aparts = list(dict.fromkeys(run["apart"] for run in runs))
    return {"runs": runs, "summary": [
        {"apart": apart, "ways": training.summary([run for run in runs if run["apart"] == apart])} for apart in aparts
    ]}


def yin_yang(quick: bool) -> dict[str, Any]:
    """Yin-Yang, trained with either gradient."""
    runs = (training.yin_yang_runs(range(1), YIN_YANG_WAYS[::2], epochs=2, train=100) if quick
            else training.yin_yang_runs(range(SEEDS), YIN_YANG_WAYS))
    return {"runs": runs, "summary": training.summary(runs)}


PARTS: dict[str, Callable[[bool], dict[str, Any]]] = {
    "gradients": gradients, "interval": interval, "yin-yang": yin_yang
}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; the exit code (0, 2: bad options, 3: not finite, or no memory)."""
    return guarded(PROG, lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    parser = OneLineParser(PROG, "Measure the cost of a time grid for gradients and for networks that learn.")
    parser.add_argument("--quick", action="store_true", help="a few networks and one short run of each task")
    parser.add_argument("--what", choices=tuple(PARTS), action="append", help="one part; others stay as in FILE")
    parser.add_argument("--out", default="runs/grid.json", metavar="FILE", help="file to write (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="threads of torch (default: torch's)")
    options = parser.parse_args(argv)
    use_threads(options)
    path, record = Path(options.out), {"format": FORMAT, "quick": options.quick, "dts": list(DTS)}
    if options.what and path.exists():
        record = {**_read(path), **record}
    for what in options.what or tuple(PARTS):
        began = time.perf_counter()
        record[what] = PARTS[what](options.quick)
        _write(path, record)
        print(f"{what}: {time.perf_counter() - began:.0f} s, {torch.get_num_threads()} threads, {path}", flush=True)
    return 0


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpecError("--out", "a record that can be read", Verbatim(type(error).__name__), "name another") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise SpecError("--out", f"a record of format {FORMAT}", str(path), "name another")
    return record


def _write(path: Path, record: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n", encoding="utf-8")
    except OSError as error:
        reason = Verbatim(f"{error.strerror or error}: {path}")
        raise SpecError("--out", "a file that can be written", reason, "name another, or make room") from None


if __name__ == "__main__":
    run_and_exit(main)
