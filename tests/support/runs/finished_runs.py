"""Finished runs of a small task: two seeds with learned delays, two with frozen delays."""

from pathlib import Path

from tests.support.runs import undrawn
from tests.support.runs.written_files import splits

OPTIONS = ["--task", "spikes", "--epochs", "2", "--hidden", "5", "--batch", "16", "--dtype", "float64", "--gain", "2"]


def data_of(folder: Path) -> list[str]:
    """The option `--data` of these runs."""
    return ["--data", *(str(folder / f"{name}.h5") for name in ("train", "valid", "test"))]


def make_runs(folder: Path) -> Path:
    """Writes data and the runs `free0`, `free1`, `frozen0`, `frozen1` into a folder; returns it."""
    splits(folder, 40, "train", "valid", "test")
    for seed in range(2):
        for name, more in (("free", []), ("frozen", ["--freeze-delays"])):
            run = [*OPTIONS, *data_of(folder), "--seed", str(seed), "--out", str(folder / f"{name}{seed}"), *more]
            assert undrawn.main(*run) in (0, 1)
    return folder
