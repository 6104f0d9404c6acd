"""Runs of these tests draw no pictures, unless a test is marked `pictures`."""

import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.support.runs.short_runs import OPTIONS, data_of, undrawn, without_pictures
from tests.support.runs.written_files import splits


@pytest.fixture(autouse=True)
def no_pictures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests of training read records; the pictures have tests of their own."""
    with nullcontext() if request.node.get_closest_marker("pictures") else without_pictures():
        yield


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, and the runs `free0`, `free1`, `frozen0`, `frozen1`: two seeds with learned
    delays, two with frozen delays. Tests add to it, and change nothing."""
    folder = tmp_path_factory.mktemp("runs")
    splits(folder, 40, "train", "valid", "test")
    for seed in ("0", "1"):
        for name, more in (("free", []), ("frozen", ["--freeze-delays"])):
            run = [*OPTIONS, *data_of(folder), "--seed", seed, "--out", str(folder / f"{name}{seed}"), *more]
            assert undrawn(*run) in (0, 1)
    return folder


@pytest.fixture
def copy(runs: Path, tmp_path: Path) -> Path:
    return shutil.copytree(runs / "free0", tmp_path / "copy")
