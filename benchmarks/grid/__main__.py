"""`python -m benchmarks.grid`: measure the cost of a grid for gradients, as JSON."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.grid import study
from delayprop.spec import SpecError
from delayprop.spec.command import OneLineParser, run_and_exit
from delayprop.spec.errors import Verbatim

PROG = "python -m benchmarks.grid"
FORMAT = "delayprop-grid/1"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; the exit code (0, 2: bad options, 3: not finite, or no memory)."""
    parser = OneLineParser(PROG, "Measure the cost of a time grid for gradients.")
    parser.add_argument("--quick", action="store_true", help="a few networks of each group")
    help_ = "file to write; its other parts stay (default: %(default)s)"
    parser.add_argument("--out", default="runs/grid.json", metavar="FILE", help=help_)
    return parser.run(_run, argv)


def _run(options: argparse.Namespace) -> int:
    path = Path(options.out)
    before, began = _read(path) if path.exists() else {}, time.perf_counter()
    found = study.groups(options.quick)
    gradients = {"networks": found, "summary": study.summary(found)}
    _write(path, {**before, "format": FORMAT, "quick": options.quick, "dts": list(study.DTS), "gradients": gradients})
    print(f"{time.perf_counter() - began:.0f} s, {path}", flush=True)
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
