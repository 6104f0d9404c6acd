"""A damaged record, or one at odds with another, is refused in one line, without a picture."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from delayprop.fast.drawing.run_record import read
from reports.__main__ import main
from tests.support.commands import result_of
from tests.support.forking import called
from tests.support.runs.reading import Capture, refusal
from tests.support.runs.recorded_runs import (
    CARD,
    TRACES,
    Change,
    lines,
    made,
    made_sequence,
    recorded,
    results,
    settings,
)


def put(name: str, value: object) -> Change:
    return recorded(lambda found: found.__setitem__(name, np.array(value)))


def at(name: str, index: tuple[int, ...], value: float) -> Change:
    return recorded(lambda found: found[name].__setitem__(index, value))


def gone(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def content(name: str, whole: bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(whole)


def trace(**entries: object) -> Change:
    """Changes the first trace after learning."""
    return results(after=[{**TRACES[0], **entries}, *TRACES[1:]])


def one_array(folder: Path) -> None:
    with (folder / "page.npz").open("wb") as file:
        np.save(file, np.zeros(3))


def in_its_place(folder: Path) -> None:
    (folder / "page.npz").unlink()
    (folder / "page.npz").mkdir()


BAD: dict[str, tuple[Change, str]] = {
    "no arrays": (gone("page.npz"), "a finished run, with page.npz, got"),
    "no options": (gone("options.json"), "a finished run, with options.json, got"),
    "empty": (content("page.npz", b""), "`page.npz` must be an intact file of arrays, got BadZipFile"),
    "cut": (
        lambda folder: (folder / "page.npz").write_bytes((folder / "page.npz").read_bytes()[:-100]),
        "`page.npz` must be an intact file of arrays, got",
    ),
    "no archive": (content("page.npz", b"no archive"), "`page.npz` must be an intact file of arrays, got"),
    "one array": (one_array, "`page.npz` must be an intact file of arrays, got"),
    "a folder": (in_its_place, "a finished run, with page.npz, got Is a directory"),
    "objects": (put("t", [None, {}]), "`page.npz` must be an intact file of arrays, got ValueError"),
    "an array missing": (recorded(lambda found: found.pop("d_after_1")), "`page.npz` must be a file of arrays with d"),
    "no trial": (recorded(lambda found: found.pop("label_0")), "`page.npz` must be a file of arrays with label_0"),
    "half a trial": (recorded(lambda found: found.pop("V_2")), "`page.npz` must be a file of arrays with V_2, got one"),
    "text": (put("d_after_0", "long"), "`page.npz d_after_0` must be numbers, got an array of <U4"),
    "complex": (put("t", [1j]), "`page.npz t` must be numbers, got an array of complex128"),
    "a shape": (put("d_after_0", [[1.0]]), "`page.npz d_after_0` must be of shape [4, 6], got shape [1, 1]"),
    "no axes": (put("w_after_1", 1.0), "`page.npz w_after_1` must be of shape [6, 3], got shape []"),
    "voltages": (put("V_1", np.zeros((3, 5))), "`page.npz V_1` must be of shape [3, 60], got shape [3, 5]"),
    "times": (put("times_0_1", [1.0]), "`page.npz units_0_1` must be of shape [1], got shape [18]"),
    "arrivals": (put("arrivals_2", [[1.0, 2.0, 3.0]]), "`page.npz arrivals_2` must be of shape [any, 2], got"),
    "NaN": (at("d_before_0", (1, 2), np.nan), "`page.npz d_before_0` must be finite numbers, got nan at [1, 2]"),
    "infinity": (at("V_0", (0, 3), -np.inf), "`page.npz V_0` must be finite numbers, got -inf at [0, 3]"),
    "duration NaN": (put("duration", np.nan), "`page.npz duration` must be finite numbers, got nan at []"),
    "duration 0": (put("duration", 0.0), "`page.npz duration` must be above 0, got 0.0"),
    "a unit too many": (at("units_0_0", (0,), 4), "`page.npz units_0_0` must be whole numbers from 0 to 3, got 4"),
    "a unit too few": (at("units_0_1", (0,), -1), "`page.npz units_0_1` must be whole numbers from 0 to 5, got -1"),
    "half a unit": (put("units_0_0", [0.5] * 12), "`page.npz units_0_0` must be whole numbers, got an array of float"),
    "a label": (put("label_1", 3), "`page.npz label_1` must be whole numbers from 0 to 2, got 3"),
    "network": (results(network="deep"), "`result.json network` must be sizes of layers, as 4-30-3, got 'deep'"),
    "no hidden layer": (results(network="4-3"), "`result.json network` must be sizes of layers"),
    "another network": (results(network="4-7-3"), "`page.npz w_after_0` must be of shape [4, 7], got shape [4, 6]"),
    "best epoch": (results(best_epoch=3), "`result.json best_epoch` must be 2, the best on validation in his"),
    "last epoch": (settings(choose="last"), "`result.json best_epoch` must be 3, the last in history.jsonl, got 2"),
    "choice": (settings(choose="luck"), "`options.json choose` must be one of best, last, got"),
    "interval": (results(interval=[0.1]), "`result.json interval` must be a list of 2, got a list of 1"),
    "too few rows": (results(answers=[[1, 0, 0, 0]]), "`result.json answers` must be 3 rows of 4, got 1 rows of 4"),
    "a short row": (results(answers=[[1, 0]] * 3), "`result.json answers` must be 3 rows of 4, got 3 rows of 2"),
    "a name for no class": (results(class_names=["a"] * 4), "`result.json class_names` must be 3 names, got 4"),
    "a name that is none": (results(class_names=["a", "b", 3]), "`result.json class_names[2]` must be text, got 3"),
    "no answers": (results(answers=[[0] * 4] * 3), "`result.json answers` must be answers of at least one trial, got"),
    "a negative count": (results(answers=[[-1, 0, 0, 0]] * 3), "`result.json answers[0][0]` must be a whole number of"),
    "another accuracy": (results(test_accuracy=0.9), "`result.json test_accuracy` must be 0.75, as its answers give,"),
    "a gradient's norm": (lines(gradient={"d": "steep"}), "`history.jsonl line 1 gradient d` must be a finite number,"),
    "dtype": (settings(dtype="float16"), "`options.json dtype` must be one of float32, float64, got"),
}
BAD_SEQUENCE: dict[str, tuple[Change, str]] = {
    "no result": (gone("result.json"), "`RUN` must be the folder of a finished run, with result.json, got"),
    "no history": (gone("history.jsonl"), "with history.jsonl, got "),
    "no text": (content("result.json", b"\xff\xfe\x00"), "got UnicodeDecodeError: "),
    "no JSON": (content("result.json", b"{"), "`result.json` must be JSON, got"),
    "no object": (content("result.json", b"[1, 2]"), "`result.json` must be an object, got a list of 2; give the"),
    "no task": (content("result.json", b"{}"), "`result.json` must be an object with task, got one without"),
    "a list for a task": (results(task=["sequence"]), "`result.json task` must be text, got a list of 1"),
    "empty history": (content("history.jsonl", b""), "`history.jsonl` must be at least one line, got an empty file"),
    "half a line": (content("history.jsonl", b'{"presentation": 1'), "`history.jsonl line 1` must be JSON"),
    "a line no object": (content("history.jsonl", b"3\n"), "`history.jsonl line 1` must be an object, got 3"),
    "a line lacks a key": (content("history.jsonl", b"{}\n"), "`history.jsonl line 1` must be an object with"),
    "text for a number": (lines(loss="low"), '`history.jsonl line 1 loss` must be a finite number, got "low"'),
    "true for a number": (lines(loss=True), "`history.jsonl line 1 loss` must be a finite number, got true"),
    "NaN": (lines(loss=float("nan")), "`history.jsonl line 1 loss` must be a finite number, got NaN"),
    "null": (results(optimum=None), "`result.json optimum` must be a finite number, got null"),
    "matrix too small": (results(d_start=[[1.0, 2.0]]), "`result.json d_start` must be a list of 2, got a list of 1"),
    "no traces": (results(before=[]), "`result.json before` must be a list of 4, got a list of 0"),
    "no voltages": (trace(V=[]), "`result.json after[0] V` must be a list of at least one, got a list of 0"),
    "voltages too few": (trace(V=[1.0]), "`result.json trace 4 V` must be one voltage per time, got 1 for 2 times"),
    "an output too many": (trace(output=2), "must be one of 0, 1, got 2"),
    "inputs": (results(inputs=17), "`result.json inputs` must be one of 3, 4, 5,"),
    "inputs of two": (results(inputs=2), "`result.json inputs` must be one of 3, 4, 5,"),
    "gap": (results(inputs=4, gap=None), "`result.json gap` must be a finite number, got null"),
    "delays": (results(inputs=4, gap=1, kept_from=1, d=[[1]]), "`result.json d` must be a list of 4, got a list of 1"),
}
CASES = {
    **{f"classification, {name}": (made, *one) for name, one in BAD.items()},
    **{f"sequence, {name}": (made_sequence, *one) for name, one in BAD_SEQUENCE.items()},
}


@pytest.mark.parametrize(("make", "damage", "words"), CASES.values(), ids=CASES.keys())
def test_a_damaged_record_is_one_line_and_exit_2(
    make: Callable[[Path], Path], damage: Change, words: str, tmp_path: Path, capsys: Capture
) -> None:
    damage(make(tmp_path))
    err = refusal(capsys, main, tmp_path)
    assert err.startswith("python -m reports: ") and words in err
    assert not list(tmp_path.glob("*.png")) and not list(tmp_path.glob("*.html"))


def hollow(folder: Path) -> None:
    more = zipfile.ZipFile(folder / "page.npz", "a", zipfile.ZIP_DEFLATED)
    with more as archive, archive.open("t2.npy", "w") as file:
        np.save(file, np.zeros(20_000_000))


def understated(folder: Path) -> None:
    """The archive states 200 bytes for the member of `hollow`."""
    hollow(folder)
    whole = bytearray((folder / "page.npz").read_bytes())
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        stated = archive.infolist()[-1].file_size
    at = whole.rindex(stated.to_bytes(4, "little"))
    whole[at : at + 4] = (200).to_bytes(4, "little")
    (folder / "page.npz").write_bytes(whole)


HOSTILE: dict[str, tuple[Change, str]] = {
    "zeros, compressed": (hollow, "its arrays are far larger"),
    "zeros of a stated length": (understated, "`page.npz` must be an intact file of arrays, got"),
    "the sizes of a network": (results(network="20000-20000-3"), "`page.npz w_after_0` must be of shape [20000, 20000"),
    "sizes beyond any": (results(network=f"{'9' * 5000}-6-3"), "`result.json network` must be sizes of layers"),
}


@pytest.mark.parametrize(("change", "words"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_small_file_takes_little_memory(change: Change, words: str, tmp_path: Path) -> None:
    change(made(tmp_path))
    found = result_of(called("tests.support.runs.children:measured", "delayprop.fast.drawing.__main__", tmp_path))
    assert found["code"] == 2 and words in found["errors"]
    assert found["took"] < 60, found


@pytest.mark.parametrize(("change", "name", "keys"), [
    (results, "result.json", "task network best_epoch test_accuracy interval count_baseline answers " + " ".join(CARD)),
    (settings, "options.json", "seed dtype"),
    (
        lines, "history.jsonl line 1",
        "epoch train_accuracy train_loss valid_accuracy valid_loss spikes_per_neuron silent silent_steps clamped "
        "gradient kappa_min seconds A B C",
    ),
])
def test_every_entry_that_is_read_is_checked(
    change: Callable[..., Change], name: str, keys: str, tmp_path: Path, capsys: Capture
) -> None:
    for key in keys.split():
        change(**{key: True})(made(tmp_path))
        assert f"`{name} {key}` must be " in refusal(capsys, main, tmp_path)


def test_no_damaged_byte_ends_in_a_traceback(tmp_path: Path) -> None:
    whole = (made(tmp_path, (1, 1, 2)) / "page.npz").read_bytes()
    random = np.random.default_rng(3)
    refused = 0
    for place in random.choice(len(whole), 300, replace=False).tolist():
        (tmp_path / "page.npz").write_bytes(
            whole[:place] + bytes([whole[place] ^ int(random.integers(1, 256))]) + whole[place + 1 :]
        )
        try:
            read(tmp_path)
        except ValueError as error:  # a RecordError, which names the file
            assert str(error).startswith("`page.npz")
            refused += 1
    assert refused > 100
