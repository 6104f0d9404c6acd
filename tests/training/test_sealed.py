"""A training run opens no socket, starts only harmless programs, and writes only into its folder.

It is under watch, as a user without a home: HOME is a file, so a write there fails. A long run
needs no more memory and no more files than after its warm-up.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import ROOT
from tests.support.commands import result_of
from tests.support.forking import called

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")

KERNELS = ROOT / "delayprop" / "fast" / "__pycache__"
PROGRAMS = {
    "ldconfig", "gcc", "cc", "ld", "objdump",  # ctypes (Numba) searches a library
    "uname",  # platform
    "fc-list",  # Matplotlib lists fonts
}
OPTIONS = ["--task", "yin-yang", "--epochs", "1", "--hidden", "6", "--batch", "20"]


def watched(folder: Path, plant: str, *options: str) -> SimpleNamespace:
    """What was seen of `plant` (`-`: none) in a fresh interpreter."""
    for name in ("temp", "here"):
        (folder / name).mkdir()
    (folder / "home").write_text("a file")
    (folder / "here" / "given").write_text("x")
    environment = {  # nothing that moves a cache
        "PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder / "home"), "TMPDIR": str(folder / "temp"),
        "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1",
    }
    report = folder / "report.json"
    command = [sys.executable, "-m", "tests.support.runs.sealed_run", str(report), plant, *options]
    done = subprocess.run(command, cwd=folder / "here", env=environment, capture_output=True, text=True)
    found = json.loads(report.read_text())
    in_vain = folder / "home" / ".config"  # Matplotlib tries it, then uses `temp`
    may_change = (folder / "out", folder / "temp", KERNELS)  # --out; gone at the end, see below; compiled once
    found["outside"] = [
        f"{event} {path}" for event, path in found["changed"]
        if not any(Path(path).is_relative_to(one) for one in may_change)
        and Path(path) not in (Path(os.devnull), in_vain, in_vain / "matplotlib")
    ]
    return SimpleNamespace(code=done.returncode, said=done.stdout + done.stderr, **found)


def trained(folder: Path, plant: str = "-") -> SimpleNamespace:
    return watched(folder, plant, *OPTIONS, "--out", str(folder / "out" / "run"))


@pytest.mark.full
def test_a_run_talks_to_nobody_and_writes_only_into_its_folder(tmp_path: Path) -> None:
    seen = trained(tmp_path)
    assert seen.code in (0, 1), seen.said
    assert (tmp_path / "out" / "run" / "result.json").exists() and "resumed after step" in seen.said
    assert any(path.endswith("history.jsonl") for _, path in seen.changed), "control: what it may write was seen"
    assert seen.talked == []
    assert set(seen.started) <= PROGRAMS
    assert seen.outside == []
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["given"]
    assert (tmp_path / "home").read_text() == "a file"
    left = [path for path in (tmp_path / "temp").rglob("*") if not path.name.startswith("torchinductor_")]
    assert left == [], "torch leaves an empty folder; nothing else outlives a run"


@pytest.mark.full
def test_control_what_a_run_must_not_do_is_seen(tmp_path: Path) -> None:
    """The run ends as usual, so only the watch can find it."""
    seen = trained(tmp_path, "connect, then write")
    assert seen.code in (0, 1), seen.said
    assert seen.talked and "offline: NetworkError" in seen.said
    assert set(seen.outside) == {f"open {tmp_path / 'here' / 'seen'}"}


SEEN: dict[str, tuple[int, bool, list[str]]] = {
    "look up": (1, True, []),
    "by number": (0, False, ["open here/seen"]),
    "rename": (0, False, ["os.rename here/given", "os.rename here/seen"]),
    "remove": (0, False, ["os.remove here/given"]),
    "in an open folder": (0, False, ["os.mkdir here/there", "os.mkdir here/there/inner"]),
    "at home": (1, False, ["open home/.seen"]),
    "start": (0, False, []),
}
"""By plant: the exit code, whether it talked, and its changes."""


@pytest.mark.parametrize("plant", SEEN)
def test_control_each_forbidden_act_is_seen(plant: str, tmp_path: Path) -> None:
    seen = watched(tmp_path, plant)
    changed = [line.replace(f"{tmp_path}/", "") for line in seen.outside]
    assert (seen.code, bool(seen.talked), changed) == SEEN[plant], seen.said
    assert (set(seen.started) <= PROGRAMS) == (plant != "start")


MOST = 3e6  # bytes by which resident memory may grow during the steps; it usually grows by a page or two


def growth(kind: str, steps: int) -> tuple[int, int]:
    found = result_of(called("tests.support.runs.children:long_run", kind, steps))
    memory, files, losses = found["memory"], found["files"], found["losses"]
    assert len(memory) == len(files) == 11
    assert found["fired"] > steps and losses[-1] < losses[0], "it must be a training, not silence"
    print(f"{kind}, {steps} steps: {memory[0]} to {max(memory)} bytes, {files[0]} to {max(files)} files")
    return max(memory) - memory[0], max(files) - files[0]


@pytest.mark.full
def test_memory_and_files_stay_flat() -> None:
    grown, opened = growth("plain", 10_000)
    assert grown < MOST and opened == 0


@pytest.mark.full
def test_control_a_thousand_bytes_a_step_and_a_file_in_a_hundred_steps_are_seen() -> None:
    assert growth("numbers", 6000)[0] > MOST and growth("files", 300)[1] == 3
