"""`python -m reports`: the verification report; `python -m reports RUN`: the pictures of a run."""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from delayprop.fast.data.records import RecordError
from delayprop.fast.drawing import __main__ as drawing
from delayprop.spec.command import BAD_INPUT, OneLineParser, report, run_and_exit
from reports.page import html, verdict
from reports.record import RED, Verification, read

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path("verification")
RECORD, PAGE = "verification.json", "verification.html"
GRID = ROOT / "results" / "grid.json"
WORKERS = 2
DURATIONS = {True: "60 to 100 seconds", False: "16 to 21 minutes"}
"""By `quick`, as measured on two cores (2026-12-07)."""


def main(argv: Sequence[str] | None = None, prog: str = "python -m reports") -> int:
    """The command line; exit code 0, 1: a check is red, 2: no such run or record, or folder not
    writable."""
    described = (
        "Run every check and write the verification report, a page and its record; with --record, the page alone; "
        "or, with RUN, draw the pictures of a training run."
    )
    parser = OneLineParser(prog, described)
    parser.add_argument("run", metavar="RUN", type=Path, nargs="?", help="folder of a run to draw again")
    parser.add_argument("--delays", metavar="FILE", help=f"with RUN: {drawing.DELAYS}")
    parser.add_argument("--quick", action="store_true", help="a tenth of the cases: a quick look, no evidence")
    parser.add_argument("--record", metavar="FILE", type=Path, help="write the page of this record, run no check")
    outs = f"folder of the report (default: {FOLDER}, or that of the --record)"
    parser.add_argument("--out", metavar="FOLDER", type=Path, help=outs)

    def body(options: argparse.Namespace) -> int:
        if options.run is not None:
            if options.quick or options.record is not None or options.out is not None:
                parser.error("--quick, --record and --out are for the report, without RUN")
            words = [] if options.delays is None else ["--delays", options.delays]
            return drawing.main([str(options.run), *words], prog)
        if options.delays is not None:
            parser.error("--delays is of a RUN")
        if options.record is not None and options.quick:
            parser.error("--quick is of a run of the checks, a --record has run")
        out = options.out or (FOLDER if options.record is None else options.record.parent)
        try:
            return make(out, options.quick) if options.record is None else write(read(options.record), out)
        except OSError as error:
            reason = f"{error.strerror or error}: {out}"
            return report(prog, f"`--out` must be a folder with room for the report, got {reason}; make room")

    return parser.run(body, argv, {RecordError: BAD_INPUT})


def make(out: Path, quick: bool) -> int:
    """Run the checks, write record and page into a folder, and print the verdict; 1 if a check is
    red. `RecordError`: the tests are missing, or broke off."""
    if not (ROOT / "tests" / "support" / "report_checks.py").exists() or importlib.util.find_spec("xdist") is None:
        remedy = "run `make report` in a clone of the project"
        raise RecordError("tests", "there, with pytest-xdist", f"neither at {ROOT}", remedy)
    study()
    out.mkdir(parents=True, exist_ok=True)
    record = out / RECORD
    record.unlink(missing_ok=True)
    networks = "few networks per check" if quick else "all networks; --quick takes few"
    first = "A first run compiles the kernels, which takes one minute more."
    print(f"All checks, {networks}: {DURATIONS[quick]} on two free cores. {first}", flush=True)
    run(record.absolute(), quick)
    try:
        return write(read(record), out)
    except Exception:
        print(f"All checks have run. Their page is written by: python -m reports --record {record}", file=sys.stderr)
        raise


def study() -> dict[str, Any]:
    """The record of the study of time grids; `RecordError`: it is not readable."""
    try:
        found: dict[str, Any] = json.loads(GRID.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError("results/grid.json", "a record", f"none ({error})", "check it out again") from None
    return found


def run(record: Path, quick: bool) -> None:
    """Run the tests of all checks, which write the record; `RecordError`: the run broke off."""
    environment = {**os.environ, "DELAYPROP_EFFORT": "quick" if quick else "full"}
    words = ["-m", "pytest", "-q", "-n", str(WORKERS), "--dist", "worksteal", "-p", "no:cacheprovider"]
    words += ["--no-header", "--tb=line", "--evidence", str(record), "tests"]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, check=False)
    broken = done.returncode not in (0, 1) or not record.exists()
    if broken or (done.returncode == 1 and not read(record).count(RED)):
        got = f"pytest's exit code {done.returncode}"
        raise RecordError("the checks", "run to their end", got, "see its output above")


def write(record: Verification, out: Path) -> int:
    """Write the page of a record into a folder; 1 if a check is red."""
    out.mkdir(parents=True, exist_ok=True)
    (out / PAGE).write_text(html(record, study()), encoding="utf-8", newline="\n")
    for check in record.checks:
        if check["status"] == RED:
            print(f"RED {check['number']} {check['title']}: {next(iter(check['wrong'].items()))}")
    print(f"{verdict(record)}: {out / PAGE}")
    return int(record.count(RED) > 0)


if __name__ == "__main__":
    run_and_exit(main)
