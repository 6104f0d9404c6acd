"""A long training needs no more memory and no more files than after its warm-up."""

import json
from pathlib import Path

import pytest

from tests.support.forking import called

MOST = 0.01  # largest growth of resident memory during the steps; the usual growth is a page or two

pytestmark = [pytest.mark.full, pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")]


def growth(kind: str, steps: int) -> tuple[float, int]:
    done = called("tests.support.runs.long_run:main", kind, steps)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    memory, files, losses = found["memory"], found["files"], found["losses"]
    assert len(memory) == len(files) == 11
    assert found["fired"] > steps and losses[-1] < losses[0], "it must be a training, not silence"
    print(f"{kind}, {steps} steps: {memory[0]} to {max(memory)} bytes, {files[0]} to {max(files)} files")
    return (max(memory) - memory[0]) / memory[0], max(files) - files[0]


@pytest.mark.parametrize("steps", [2000, 10_000])
def test_memory_and_files_stay_flat(steps: int) -> None:
    grown, opened = growth("plain", steps)
    assert grown < MOST and opened == 0


@pytest.mark.parametrize(("kind", "steps"), [("graphs", 1000), ("numbers", 10_000)])
def test_control_memory_that_is_kept_is_seen(kind: str, steps: int) -> None:
    """Graphs of autograd, and a thousand bytes a step."""
    assert growth(kind, steps)[0] > MOST


def test_control_one_file_in_a_hundred_steps_is_seen() -> None:
    assert growth("files", 300)[1] == 3
