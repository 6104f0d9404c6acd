"""Each check of the reader, removed from a copy, turns a test of damage red."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from delayprop.fast.data import spike_files
from tests import ROOT
from tests.data import test_spike_files_damage as damage
from tests.support.faults.planting import Fault
from tests.support.runs.written_files import small_trials, write


def fault(name: str, text: str, wrong: str) -> Fault:
    return Fault(name, "fast", "data/spike_files.py", text, wrong)


def of_record(name: str, text: str, wrong: str) -> Fault:
    return Fault(name, "fast", "data/spike_data.py", text, wrong)


FAULTS = (
    (fault("a file that cannot be read", "except Exception as", "except EOFError as"), "a page of the server"),
    (fault("a name that is missing", "except SpecError:", "except EOFError:"), "other names"),
    (fault("numbers of records", "len(set(lengths.values())) > 1", "False"), "more labels than trials"),
    (fault("no record", "or not len(labels):", "or False:"), "no trial at all"),
    (fault("which record it is", '{path.name} record {n}"', '{path.name} record 0"'), "an infinite time"),
    (fault("which file it is", 'name = f"{path.name} ', 'name = f"the file\'s '), "an infinite time"),
    (
        Fault("rows of one dimension", "fast", "data/collating.py", "if row.ndim != 1:", "if row.ndim == 0:"),
        "rows of two dimensions",
    ),
    (of_record("a unit for each time", "if len(times) != len(units):", "if False:"), "a time too many"),
    (fault("units are whole numbers", '"iu", "whole', '"fiu", "whole'), "units that are no whole numbers"),
    (of_record("labels are numbers", "if not isinstance(label, np.integer):", "if False:"), "two labels a trial"),
    (of_record("finite times", "if not np.isfinite(times).all():", "if False:"), "a NaN in front"),
    (of_record("times before 0", "times.min() < 0 or", "False or"), "a time below 0"),
    (of_record("times after the trial", "or times.max() > duration", "or False"), "times in ms, in one record"),
    (of_record("order", "if (np.diff(times) < 0).any():", "if False:"), "the last two times exchanged"),
    (of_record("units below 0", "not (0 <= units.min() and", "not (True and"), "a unit below 0"),
    (of_record("units too large", "and units.max() < channels)", "and True)"), "a unit beyond 64 bits"),
    (of_record("labels out of range", "if not 0 <= label < classes:", "if False:"), "a label too large"),
)


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


def read_by(file: str, source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / f"reader{len(list(folder.glob('reader*.py')))}.py"  # Python caches by size and second
    path.write_text(source, encoding="utf-8")
    spec = spec_from_file_location("reader_with_a_fault", path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    if file == "data/spike_files.py":
        monkeypatch.setattr(damage, "read_spike_file", module.read_spike_file)
        return
    name = "row_of" if file == "data/collating.py" else "check_record"
    monkeypatch.setattr(spike_files, name, getattr(module, name))


@pytest.mark.parametrize(("planted", "name"), FAULTS, ids=[planted.name for planted, _ in FAULTS])
def test_a_check_that_is_missing_is_seen(
    planted: Fault, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (ROOT / planted.package / planted.file).read_text(encoding="utf-8")
    assert source.count(planted.text) == 1, f"`{planted.text}` must occur once"
    read_by(planted.file, source, tmp_path, monkeypatch)
    assert passes(name, tmp_path / "mine.h5"), "control: without the fault"
    read_by(planted.file, source.replace(planted.text, planted.wrong), tmp_path, monkeypatch)
    assert not passes(name, tmp_path / "mine.h5")
