"""Running all checks, and writing the report: `python -m reports [--quick] [--out DIR]`."""

import importlib.util
import json
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from delayprop.fast.data.records import RecordError
from reports.page import html, verdict
from reports.pdf import save_pdf
from reports.record import RED, Verification, read

ROOT = Path(__file__).resolve().parents[1]
RECORD, PAGE, PDF = "verification.json", "verification.html", "verification.pdf"
GRID = ROOT / "results" / "grid.json"
WORKERS = 2
DURATIONS = {True: "60 to 90 seconds", False: "6 to 10 minutes"}
"""By `quick`, on two cores that do nothing else: half the CPU time, and the ends of a run."""


def make(out: Path, quick: bool) -> int:
    """Run the checks, write record, page and PDF into a folder, and print the verdict.

    Returns:
        0: no check is red; 1: a check is red.

    Raises:
        RecordError: the tests are missing, or broke off.
        OSError: the folder is not writable.
    """
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
    return write(read(record), out)


def study() -> dict[str, Any]:
    """The record of the study of time grids.

    Raises:
        RecordError: it is not readable.
    """
    try:
        found: dict[str, Any] = json.loads(GRID.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError("results/grid.json", "a record", f"none ({error})", "make it anew") from None
    return found


def run(record: Path, quick: bool) -> None:
    """Run the tests of all checks, which write the record.

    Raises:
        RecordError: the run broke off.
    """
    environment = {**os.environ, "DELAYPROP_EFFORT": "quick" if quick else "full"}
    words = ["-m", "pytest", "-q", "-n", str(WORKERS), "--dist", "worksteal", "-p", "no:cacheprovider"]
    words += ["-o", "console_output_style=classic", "--no-header", "--tb=line", "--evidence", str(record), "tests"]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, check=False)
    broken = done.returncode not in (0, 1) or not record.exists()
    if broken or (done.returncode == 1 and not read(record).count(RED)):
        got = f"pytest's exit code {done.returncode}"
        raise RecordError("the checks", "run to their end", got, "see its output above")


def write(record: Verification, out: Path) -> int:
    """Write page and PDF of a record; 1 if a check is red."""
    with ProcessPoolExecutor(1) as other:  # drawing takes seconds, and two processes half of them
        paper = other.submit(save_pdf, record, out / PDF)
        (out / PAGE).write_text(html(record, study()), encoding="utf-8", newline="\n")
        paper.result()
    for check in record.checks:
        if check["status"] == RED:
            print(f"RED {check['number']} {check['title']}: {next(iter(check['wrong'].items()))}")
    print(f"{verdict(record)}: {out / PAGE}, {out / PDF}")
    return int(record.count(RED) > 0)
