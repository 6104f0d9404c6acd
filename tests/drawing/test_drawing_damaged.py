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

ARRAYS, RESULT = "`page.npz` must be as a run has written it, got", "`result.json` must be as a run has written it, got"


def put(name: str, value: object) -> Change:
    return recorded(lambda found: found.__setitem__(name, np.array(value)))


def at(name: str, index: tuple[int, ...], value: float) -> Change:
    return recorded(lambda found: found[name].__setitem__(index, value))


def gone(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def content(name: str, whole: bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(whole)


def one_array(folder: Path) -> None:
    with (folder / "page.npz").open("wb") as file:
        np.save(file, np.zeros(3))


def in_its_place(folder: Path) -> None:
    (folder / "page.npz").unlink()
    (folder / "page.npz").mkdir()


def cut(folder: Path) -> None:
    (folder / "page.npz").write_bytes((folder / "page.npz").read_bytes()[:-100])


BAD: dict[str, tuple[Change, str]] = {
    "no options": (gone("options.json"), "a finished run, with options.json, got"),
    "a folder": (in_its_place, "a finished run, with page.npz, got Is a directory"),
    "empty": (content("page.npz", b""), f"{ARRAYS} EOFError"),
    "cut": (cut, f"{ARRAYS} BadZipFile"),
    "one array": (one_array, ARRAYS),
    "objects": (put("t", [None, {}]), f"{ARRAYS} ValueError"),
    "an array missing": (recorded(lambda found: found.pop("d_after_1")), f"{ARRAYS} no array d_after_1"),
    "no trial": (recorded(lambda found: found.pop("label_0")), f"{ARRAYS} no array label_0"),
    "half a trial": (recorded(lambda found: found.pop("V_2")), f"{ARRAYS} no array V_2"),
    "complex": (put("t", [1j]), f"{ARRAYS} t of complex128 and shape [1]"),
    "a shape": (put("d_after_0", [[1.0]]), f"{ARRAYS} d_after_0 of float64 and shape [1, 1]"),
    "no axes": (put("w_after_1", 1.0), f"{ARRAYS} w_after_1 of float64 and shape []"),
    "voltages": (put("V_1", np.zeros((3, 5))), f"{ARRAYS} V_1 of float64 and shape [3, 5]"),
    "times": (put("times_0_1", [1.0]), f"{ARRAYS} units_0_1 of int64 and shape [18]"),
    "arrivals": (put("arrivals_2", [[1.0, 2.0, 3.0]]), f"{ARRAYS} arrivals_2 of"),
    "no flags": (put("mask_0", np.ones((4, 6))), f"{ARRAYS} mask_0 of float64"),
    "NaN": (at("d_before_0", (1, 2), np.nan), f"{ARRAYS} nan in d_before_0"),
    "infinity": (at("V_0", (0, 3), -np.inf), f"{ARRAYS} -inf in V_0"),
    "duration NaN": (put("duration", np.nan), f"{ARRAYS} nan in duration"),
    "duration 0": (put("duration", 0.0), f"{ARRAYS} a duration of 0.0"),
    "a unit too many": (at("units_0_0", (0,), 4), f"{ARRAYS} 4 in units_0_0"),
    "a unit too few": (at("units_0_1", (0,), -1), f"{ARRAYS} -1 in units_0_1"),
    "half a unit": (put("units_0_0", [0.5] * 12), f"{ARRAYS} units_0_0 of float64"),
    "a label": (put("label_1", 3), f"{ARRAYS} 3 in label_1"),
    "no hidden layer": (results(network="4-3"), f"{RESULT} a network '4-3'"),
    "sizes beyond any": (results(network=f"{'9' * 5000}-6-3"), f"{RESULT} a network '9999"),
    "another network": (results(network="4-7-3"), f"{ARRAYS} w_after_0 of float32 and shape [4, 6]"),
    "best epoch": (results(best_epoch=3), f"{RESULT} best_epoch 3; the best on validation in history.jsonl is 2"),
    "last epoch": (settings(choose="last"), f"{RESULT} best_epoch 2; the last in history.jsonl is 3"),
    "too few rows": (results(answers=[[1, 0, 0, 0]]), f"{RESULT} answers that are not 3 rows of 4"),
    "a short row": (results(answers=[[1, 0]] * 3), f"{RESULT} answers that are not 3 rows of 4"),
    "a name for no class": (results(class_names=["a"] * 4), f"{RESULT} 4 class_names of 3 classes"),
    "no answers": (results(answers=[[0] * 4] * 3), f"{RESULT} test_accuracy 0.75, and 0 of 0 answers right"),
    "another accuracy": (results(test_accuracy=0.9), f"{RESULT} test_accuracy 0.9, and 90 of 120 answers right"),
    "a name that is none": (results(class_names=["a", "b", 3]), "`result.json class_names[2]` must be text, got 3"),
    "a negative count": (results(answers=[[-1, 0, 0, 0]] * 3), "`result.json answers[0][0]` must be a whole number of"),
    "a gradient's norm": (lines(gradient={"d": "steep"}), "`history.jsonl line 1 gradient d` must be a finite number,"),
}
BAD_SEQUENCE: dict[str, tuple[Change, str]] = {
    "no history": (gone("history.jsonl"), "`RUN` must be the folder of a finished run, with history.jsonl, got "),
    "no text": (content("result.json", b"\xff\xfe\x00"), "got UnicodeDecodeError: "),
    "no JSON": (content("result.json", b"{"), "`result.json` must be JSON, got"),
    "no object": (content("result.json", b"[1, 2]"), "`result.json` must be an object, got a list of 2; give the"),
    "no task": (content("result.json", b"{}"), "`result.json` must be an object with task, got one without"),
    "empty history": (content("history.jsonl", b""), "`history.jsonl` must be at least one line, got an empty file"),
    "half a line": (content("history.jsonl", b'{"presentation": 1'), "`history.jsonl line 1` must be JSON"),
    "text for a number": (lines(loss="low"), '`history.jsonl line 1 loss` must be a finite number, got "low"'),
    "NaN": (lines(loss=float("nan")), "`history.jsonl line 1 loss` must be a finite number, got NaN"),
    "null": (results(optimum=None), "`result.json optimum` must be a finite number, got null"),
    "matrix too small": (results(d_start=[[1.0, 2.0]]), "`result.json d_start` must be a list of 2, got a list of 1"),
    "no voltages": (results(after=[{**TRACES[0], "V": []}, *TRACES[1:]]),
                    "`result.json after[0] V` must be a list of at least one, got a list of 0"),
    "voltages too few": (results(after=[{**TRACES[0], "V": [1.0]}, *TRACES[1:]]), f"{RESULT} 1 voltages at 2 times"),
    "an output too many": (results(after=[{**TRACES[0], "output": 2}, *TRACES[1:]]), "must be one of 0, 1, got 2"),
    "inputs of two": (results(inputs=2), "`result.json inputs` must be one of 3, 4, 5,"),
    "inputs": (results(inputs=17), "`result.json inputs` must be one of 3, 4, 5,"),
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
    "zeros of a stated length": (understated, f"{ARRAYS} BadZipFile"),
    "the sizes of a network": (results(network="20000-20000-3"), f"{ARRAYS} w_after_0 of float32 and shape [4, 6]"),
}


@pytest.mark.parametrize(("change", "words"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_small_file_takes_little_memory(change: Change, words: str, tmp_path: Path) -> None:
    change(made(tmp_path))
    found = result_of(called("tests.support.runs.children:measured", "delayprop.fast.drawing.__main__", tmp_path))
    assert found["code"] == 2 and words in found["errors"]
    assert found["took"] < 60, found


@pytest.mark.parametrize(("make", "change", "name", "keys"), [
    (
        made, results, "result.json",
        "task network best_epoch test_accuracy interval count_baseline answers class_names " + " ".join(CARD),
    ),
    (made, settings, "options.json", "seed dtype choose changed"),
    (
        made, lines, "history.jsonl line 1",
        "epoch train_accuracy train_loss valid_accuracy valid_loss spikes_per_neuron silent silent_steps clamped "
        "gradient kappa_min seconds A B C",
    ),
    (made_sequence, results, "result.json", "task optimum presentations d_start before after gap tau_mem tau_syn"),
    (made_sequence, lines, "history.jsonl line 1", "presentation loss accuracy d"),
])
def test_every_entry_that_is_read_is_checked(
    make: Callable[[Path], Path], change: Callable[..., Change], name: str, keys: str, tmp_path: Path, capsys: Capture
) -> None:
    for key in keys.split():
        change(**{key: True})(make(tmp_path))
        assert f"`{name} {key}` must be " in refusal(capsys, main, tmp_path)


def test_no_damaged_byte_ends_in_a_traceback(tmp_path: Path) -> None:
    whole = (made(tmp_path, (1, 1, 2)) / "page.npz").read_bytes()
    random = np.random.default_rng(3)
    refused = 0
    for place in random.choice(len(whole), 300, replace=False).tolist():
        damage = bytes([whole[place] ^ int(random.integers(1, 256))])
        (tmp_path / "page.npz").write_bytes(whole[:place] + damage + whole[place + 1 :])
        try:
            read(tmp_path)
        except ValueError as error:  # a RecordError, which names the file
            assert str(error).startswith("`page.npz`")
            refused += 1
    assert refused > 100
