"""Command lines in child processes, and parts of their output."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.support.forking import HUNG, command


def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """`python -m NAME ARGUMENTS` in a forked process, without a GPU."""
    return command(name, *arguments, environment={"CUDA_VISIBLE_DEVICES": ""})


def python(*words: object, folder: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python WORDS` in a fresh interpreter, on the packages of this checkout, or of its copy."""
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))
    line, variables = [sys.executable, *map(str, words)], {**os.environ, "PYTHONPATH": path, **environment}
    return subprocess.run(line, cwd=folder, env=variables, capture_output=True, text=True, timeout=HUNG)


def result_of(done: subprocess.CompletedProcess[str]) -> dict:
    """The printed JSON object; asserts that nothing else was printed."""
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1 and done.stdout.endswith("\n")
    return json.loads(done.stdout, parse_constant=pytest.fail)  # of NaN and Infinity, which are no JSON


def skeleton(value: object) -> object:
    """The value with `0.0` for every number: keys, lengths and nulls."""
    if isinstance(value, dict):
        return {key: skeleton(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [skeleton(entry) for entry in value]
    return 0.0 if isinstance(value, float) else value


def refusal_of(done: subprocess.CompletedProcess[str], name: str, code: int = 2) -> str:
    """The line on standard error; asserts that nothing else was printed."""
    assert (done.returncode, done.stdout) == (code, "")
    prefix = f"python -m {name}: "
    assert done.stderr.startswith(prefix) and done.stderr.count("\n") == 1
    return done.stderr.removeprefix(prefix).rstrip("\n")


def lines_read(number: int, *arguments: str) -> tuple[int, list[str], str]:
    """`python ARGUMENTS | head`: exit code, lines read before the pipe closed, standard error."""
    line = [sys.executable, *arguments]
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        read = [process.stdout.readline() for _ in range(number)]
        process.stdout.close()
        complaint = process.stderr.read()
    return process.returncode, read, complaint
