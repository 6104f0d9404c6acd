"""What a run has written, a command has said, and a function was called with."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from delayprop.fast.data.records import SEAL, files_in, seal_of

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


def refusal(capsys: Capture, main: Callable[..., int], *words: object, code: int = 2, late: bool = False) -> str:
    """The one line on standard error with which a command ends; asserts the exit code, and for code
    2 that nothing was printed before, unless the refusal comes `late`."""
    capsys.readouterr()
    assert main([*map(str, words)]) == code
    out, err = capsys.readouterr()
    assert err.count("\n") == 1 and (not out or late or code != 2)
    return err


def printed(capsys: Capture, main: Callable[..., int], *words: object) -> str:
    """The standard output of a command that succeeds."""
    capsys.readouterr()
    assert main([*map(str, words)]) == 0
    return capsys.readouterr().out


def result(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def repeated(result: dict) -> dict:
    """The entries of a result that an equal run repeats: all but its cost."""
    return {name: value for name, value in result.items() if name not in ("seconds_per_epoch", "peak_memory_mib")}


def history(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()]


def calls(patch: Patch, of: Any, name: str, note: Callable[..., Any]) -> list[Any]:
    """What `note` returns for the arguments of each call of a function from now on, before it."""
    function, noted = getattr(of, name), list[Any]()

    def noting(*given: Any, **named: Any) -> Any:
        noted.append(note(*given, **named))
        return function(*given, **named)

    patch.setattr(of, name, noting)
    return noted


def screen(patch: Patch, terminal: bool = True) -> io.StringIO:
    """Standard error from now on: a terminal, or none."""
    shown = io.StringIO()
    patch.setattr(shown, "isatty", lambda: terminal)
    patch.setattr(sys, "stderr", shown)
    return shown


def resealed(folder: Path) -> Path:
    """Seals a folder, as if its run had written what is there."""
    (folder / SEAL).write_bytes(seal_of(files_in(folder)))
    return folder


def rewrite(path: Path, **entries: object) -> None:
    """Changes entries of a JSON object in a file of a run; `KeyError` stands for none."""
    found = {**json.loads(path.read_text(encoding="utf-8")), **entries}
    path.write_text(json.dumps({name: value for name, value in found.items() if value is not KeyError}))
    resealed(path.parent)
