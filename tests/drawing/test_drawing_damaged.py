"""Arrays that a stranger has packed take little memory; no file is written of what is refused."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.support.commands import result_of
from tests.support.forking import called
from tests.support.runs.reading import resealed
from tests.support.runs.recorded_runs import Change, made

ARCHIVE = "page.npz"


def hollow(folder: Path) -> None:
    more = zipfile.ZipFile(folder / ARCHIVE, "a", zipfile.ZIP_DEFLATED)
    with more as archive, archive.open("t2.npy", "w") as file:
        np.save(file, np.zeros(20_000_000))


def understated(folder: Path) -> None:
    """The archive states 200 bytes for the member of `hollow`."""
    hollow(folder)
    whole = bytearray((folder / ARCHIVE).read_bytes())
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        stated = archive.infolist()[-1].file_size
    at = whole.rindex(stated.to_bytes(4, "little"))
    whole[at : at + 4] = (200).to_bytes(4, "little")
    (folder / ARCHIVE).write_bytes(whole)


def objects(folder: Path) -> None:
    np.savez(folder / ARCHIVE, allow_pickle=True, t=np.array([None, {}]))


HOSTILE: dict[str, tuple[Change, str]] = {
    "zeros, compressed": (hollow, "whose arrays are far larger than the file"),
    "zeros of a stated length": (understated, "BadZipFile"),
    "objects": (objects, "ValueError: Object arrays cannot be loaded"),
}


@pytest.mark.parametrize(("change", "words"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_small_file_takes_little_memory(change: Change, words: str, tmp_path: Path) -> None:
    """Whoever packs a folder can seal it too."""
    change(made(tmp_path))
    resealed(tmp_path)
    found = result_of(called("tests.support.runs.children:measured", "delayprop.fast.drawing.__main__", tmp_path))
    assert found["code"] == 2 and words in found["errors"]
    assert found["took"] < 60, found
    assert not list(tmp_path.glob("*.png")) and not list(tmp_path.glob("*.html"))
