"""A long training needs no more memory and no more files than after its warm-up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.forking import called

MOST = 0.01  # largest growth of resident memory during the steps; the usual growth is a page or two

pytestmark = [
    pytest.mark.full, pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
]


def growth(kind: str, steps: int) -> tuple[float, int]:
    """Growth of memory (as a share) and of open files during the steps after the warm-up."""
    done = called("tests.support.runs.long_run:main", kind, steps)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    memory, files, losses = found["memory"], found["files"], found["losses"]
    assert len(memory) == len(files) == 11
    assert found["fired"] > steps and losses[-1] < losses[0], "it must be a training, not silence"
    print(f"{kind}, {steps} steps: {memory[0]} to {max(memory)} bytes, {files[0]} to {max(files)} files")
    return (max(memory) - memory[0]) / memory[0], max(files) - files[0]


def test_memory_and_files_stay_flat_for_2000_steps() -> None:
    grown, opened = growth("plain", 2000)
    assert grown < MOST and opened == 0


def test_memory_and_files_stay_flat_for_10000_steps() -> None:
    grown, opened = growth("plain", 10_000)
    assert grown < MOST and opened == 0


def test_control_graphs_that_are_kept_are_seen() -> None:
    grown, _ = growth("graphs", 1000)
    assert grown > MOST


def test_control_a_thousand_bytes_a_step_are_seen() -> None:
    grown, _ = growth("numbers", 10_000)
    assert grown > MOST


def test_control_one_file_in_a_hundred_steps_is_seen() -> None:
    _, opened = growth("files", 300)
    assert opened == 3
