"""The record of a run is read as the run wrote it, or refused, by every reader."""

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from delayprop.fast.compare import main as compare
from delayprop.fast.data.records import ARRAYS, FILES, LOG, NETWORK, OPTIONS, RESULT, SEAL, Record, RecordError
from delayprop.fast.evaluate import main as evaluate
from delayprop.fast.export import main as export
from delayprop.fast.runs.saved_runs import Run
from delayprop.fast.training import run_folder
from delayprop.spec import SpecError
from reports.__main__ import main as report
from tests.support.runs.reading import Capture, Patch, printed, refusal, repeated, result
from tests.support.runs.short_runs import OPTIONS as WORDS
from tests.support.runs.short_runs import KilledError, data_of, undrawn

READERS: dict[str, Callable[[Path], tuple[Callable[..., int], list[object]]]] = {
    "draw": lambda folder: (report, [folder]),
    "evaluate": lambda folder: (evaluate, [folder, "--split", "test"]),
    "compare": lambda folder: (compare, [folder]),
    "export": lambda folder: (export, [folder, "--nir", folder.parent / "network.nir"]),
}
WRITTEN_AGAIN = {RESULT, NETWORK, ARRAYS}  # by a run that is resumed
Damage = Callable[[Path, Path], object]
"""Of a file, whose twin is that of another run."""


def flip(path: Path, twin: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def in_its_place(path: Path, twin: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Damage] = {
    "flipped": flip,
    "cut": lambda path, twin: path.write_bytes(path.read_bytes()[:-20]),
    "missing": lambda path, twin: path.unlink(),
    "of another run": lambda path, twin: shutil.copy(twin, path),
}
CASES = [(name, how) for name in (*FILES, SEAL) for how in DAMAGES if (name, how) != (SEAL, "missing")]


def resumed(runs: Path, folder: Path) -> list[str]:
    return [*WORDS, *data_of(runs), "--seed", "0", "--out", str(folder), "--resume"]


@pytest.mark.parametrize(("name", "how"), CASES, ids=map(" ".join, CASES))
def test_a_changed_file_is_refused_by_every_reader(
    name: str, how: str, runs: Path, copy: Path, capsys: Capture
) -> None:
    """A resumed run writes the result, the network and the arrays anew, into equal bytes."""
    DAMAGES[how](copy / name, runs / "frozen1" / name)
    found = f"{name} {'missing' if how == 'missing' else 'changed'}" if name != SEAL else ""
    words = f"` must be as the run wrote it, got {found}"
    for main, given in (reader(copy) for reader in READERS.values()):
        said = refusal(capsys, main, *given)
        assert words in said and "; restore it, or --resume the run" in said
    with pytest.raises(SpecError, match="as the run wrote it"):
        Run(copy)
    kept = contents(copy)
    if name in WRITTEN_AGAIN:
        assert undrawn(*resumed(runs, copy)) in (0, 1)
        assert all((copy / one).read_bytes() == (runs / "free0" / one).read_bytes() for one in (NETWORK, ARRAYS))
        assert repeated(result(copy)) == repeated(result(runs / "free0"))
        assert Record(copy).log and "warning" not in capsys.readouterr().err
    elif (name, how) == (OPTIONS, "missing"):
        said = refusal(capsys, undrawn_words, *resumed(runs, copy), late=True)
        assert "must be given with the --out of a run" in said
    else:
        said = refusal(capsys, undrawn_words, *resumed(runs, copy), late=True)
        assert words in said and "; restore it, or start a new run" in said
        assert contents(copy) == kept, "nothing was changed"


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def undrawn_words(words: list[str]) -> int:
    return undrawn(*words)


def test_a_folder_without_a_seal_is_read_with_a_warning(copy: Path, capsys: Capture) -> None:
    """As an older version wrote it."""
    said = {name: printed(capsys, main, *given) for name, (main, given) in readers(copy).items()}
    (copy / SEAL).unlink()
    for name, (main, given) in readers(copy).items():
        assert main([*map(str, given)]) == 0
        out, err = capsys.readouterr()
        assert out == said[name] and err.startswith(f"warning: {copy} has no seal: ") and err.count("\n") == 1


def readers(folder: Path) -> dict[str, tuple[Callable[..., int], list[object]]]:
    return {name: reader(folder) for name, reader in READERS.items()}


READ = {OPTIONS: READERS, LOG: READERS, RESULT: READERS, NETWORK: {*READERS} - {"draw"}, ARRAYS: {"draw"}}
OTHERS: dict[str, Damage] = {
    "cut": DAMAGES["cut"], "missing": DAMAGES["missing"],
    "empty": lambda path, twin: path.write_bytes(b""),
    "no entry": lambda path, twin: path.write_text("{}"),
    "a list": lambda path, twin: path.write_text("[1]"),
    "no text": lambda path, twin: path.write_bytes(b"\xff\xfe\x00"),
    "deep nesting": lambda path, twin: path.write_text("[" * 100_000),
    "a folder": in_its_place,
}


@pytest.mark.parametrize("how", OTHERS)
def test_without_a_seal_a_file_that_cannot_be_used_is_one_line(
    how: str, runs: Path, tmp_path: Path, capsys: Capture
) -> None:
    for name, names in READ.items():
        folder = shutil.copytree(runs / "free0", tmp_path / Path(name).stem)
        (folder / SEAL).unlink()
        OTHERS[how](folder / name, folder)
        for reader in {*names} - ({"compare"} if (name, how) == (NETWORK, "missing") else set()):  # it needs none
            main, given = READERS[reader](folder)
            assert main([*map(str, given)]) == 2
            *warnings, said = capsys.readouterr().err.splitlines()
            assert len(warnings) == (how != "a folder") and " must be " in said
            assert how != "missing" or f"got no {name}; let it finish, or --resume it" in said


def test_a_kill_between_two_files_leaves_a_seal_that_fits_or_none(
    runs: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    """A finished run is given one more epoch, and killed before each of its changes."""
    words = [*WORDS, *data_of(runs), "--schedule", "constant", "--epochs"]
    assert undrawn(*words, "1", "--out", str(tmp_path / "run")) in (0, 1)
    for kill in count():
        shutil.copytree(tmp_path / "run", tmp_path / str(kill))
        more, turn = [*words, "2", "--out", str(tmp_path / str(kill)), "--resume"], count()

        def dying(function: Callable[..., Any], kill: int = kill, turn: Any = turn) -> Callable[..., Any]:
            def instead(*given: Any) -> Any:
                if next(turn) == kill:
                    raise KilledError
                return function(*given)

            return instead

        with monkeypatch.context() as patch:
            for name in ("write_whole", "remove_now"):
                patch.setattr(run_folder, name, dying(getattr(run_folder, name)))
            try:
                ended = undrawn(*more) in (0, 1)
            except KilledError:
                ended = False
        capsys.readouterr()
        record = Record(tmp_path / str(kill))
        assert ("has no seal" in capsys.readouterr().err) == (not ended and kill > 0)
        if ended:
            break
        assert undrawn(*more) in (0, 1)
        capsys.readouterr()
        assert len(Record(record.folder).log) == 2 and not capsys.readouterr().err
    assert kill == 7, "no seal; options, log, network, arrays, result; the seal"


@pytest.mark.parametrize(("name", "got"), [("nowhere", "no such folder"), (".", "one without its files")])
def test_a_folder_of_no_run_has_no_record(name: str, got: str, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=f"must be the folder of a finished run, got {got}; give the folder of"):
        Record(tmp_path / name)
