"""Each check of the reader, removed from a copy, turns a test of damage red."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from delayprop.fast.data import spike_files
from tests import ROOT
from tests.data import test_spike_files_damage as damage
from tests.support.runs.written_files import small_trials, write

FILES, RECORDS, ROWS = "spike_files", "spike_data", "collating"
FAULTS: dict[str, tuple[str, str, str, str]] = {
    "a file that cannot be read": (FILES, "except Exception as", "except EOFError as", "a page of the server"),
    "a name that is missing": (FILES, "except SpecError:", "except EOFError:", "other names"),
    "numbers of records": (FILES, "len(set(lengths.values())) > 1", "False", "more labels than trials"),
    "no record": (FILES, "or not len(labels):", "or False:", "no trial at all"),
    "which record it is": (FILES, '{path.name} record {n}"', '{path.name} record 0"', "an infinite time"),
    "which file it is": (FILES, 'name = f"{path.name} ', 'name = f"the file\'s ', "an infinite time"),
    "rows of one dimension": (ROWS, "if row.ndim != 1:", "if row.ndim == 0:", "rows of two dimensions"),
    "a unit for each time": (RECORDS, "if len(times) != len(units):", "if False:", "a time too many"),
    "units are whole numbers": (FILES, '"iu", "whole', '"fiu", "whole', "units that are no whole numbers"),
    "labels are numbers": (RECORDS, "if not isinstance(label, np.integer):", "if False:", "two labels a trial"),
    "finite times": (RECORDS, "if not np.isfinite(times).all():", "if False:", "a NaN in front"),
    "times before 0": (RECORDS, "times.min() < 0 or", "False or", "a time below 0"),
    "times after the trial": (RECORDS, "or times.max() > duration", "or False", "times in ms, in one record"),
    "order": (RECORDS, "if (np.diff(times) < 0).any():", "if False:", "the last two times exchanged"),
    "units below 0": (RECORDS, "not (0 <= units.min() and", "not (True and", "a unit below 0"),
    "units too large": (RECORDS, "and units.max() < channels)", "and True)", "a unit beyond 64 bits"),
    "labels out of range": (RECORDS, "if not 0 <= label < classes:", "if False:", "a label too large"),
}
"""Each check: its module, its text and a wrong one; the test of damage that turns red."""


def passes(name: str, path: Path) -> bool:
    write(path, *small_trials(damage.TRIALS, 0))
    try:
        if name in damage.OVERWRITTEN:
            damage.test_a_file_of_other_bytes_is_refused(damage.OVERWRITTEN[name], path)
        else:
            damage.test_a_damaged_record_is_named(*damage.DAMAGES[name], path)
    except (Exception, pytest.fail.Exception):  # any error makes the test red
        return False
    return True


def read_by(file: str, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("reader_with_a_fault")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # dataclasses look there
    exec(compile(source, file, "exec"), vars(module))
    if file == FILES:
        monkeypatch.setattr(damage, "read_spike_file", module.read_spike_file)
        return
    name = "row_of" if file == ROWS else "check_record"
    monkeypatch.setattr(spike_files, name, getattr(module, name))


@pytest.mark.parametrize(("file", "text", "wrong", "name"), FAULTS.values(), ids=FAULTS)
def test_a_check_that_is_missing_is_seen(
    file: str, text: str, wrong: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (ROOT / "fast" / "data" / f"{file}.py").read_text(encoding="utf-8")
    assert source.count(text) == 1, f"`{text}` must occur once"
    read_by(file, source, monkeypatch)
    assert passes(name, tmp_path / "mine.h5"), "control: without the fault"
    read_by(file, source.replace(text, wrong), monkeypatch)
    assert not passes(name, tmp_path / "mine.h5")
