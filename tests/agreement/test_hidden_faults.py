"""No source hides a fault or names a machine; planted faults are found, legal code is not."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from tests.support.house.rules import FILES, PYTHON_FILES, hidden_faults, machine_paths, read


def test_nothing_is_hidden_in_any_file() -> None:
    found = [line for path in PYTHON_FILES for line in hidden_faults(path, read(path).decode())]
    assert not found, "\n".join(found)


def test_no_machine_path_in_any_file() -> None:
    found = [line for path in FILES for line in machine_paths(path, read(path))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "np.nan_to_num(g)",
        "from numpy import nan_to_num",
        "g[g != g] = 0",
        "y = g[g != g]",
        "a.g[a.g != a.g] = 0",
        "g[np.isnan(g)] = 0",
        "g = torch.where(torch.isnan(g), 0, g)",
        "try:\n    f()\nexcept:\n    raise",
        "try:\n    f()\nexcept Exception:\n    pass",
        'try:\n    f()\nexcept BaseException as error:\n    "never mind"',
        "with contextlib.suppress(Exception):\n    f()",
        "y = a / (b + 1e-12)",
        "y = a / (1e-6 + b)",
        "y = a / (b + c + eps)",
        "y = a / max(b, EPSILON)",
        "y = a / b.clamp(min=1e-9)",
    ],
)
def test_control_hidden_fault_is_found(text: str) -> None:
    assert len(hidden_faults(PurePosixPath("fast/a.py"), text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "if math.isnan(t):\n    raise ValueError",
        "y = g[g != h]",
        "y = where(isfinite(t), t, T)",
        "try:\n    f()\nexcept ValueError:\n    pass",
        "try:\n    f()\nexcept Exception as error:\n    raise CaseError from error",
        "y = a / (b + 1.0)",
        "y = (f(x + 1e-5) - f(x - 1e-5)) / (2 * 1e-5)",
        "y = a / max(b, c)",
    ],
)
def test_control_open_handling_is_left_alone(text: str) -> None:
    assert hidden_faults(PurePosixPath("fast/a.py"), text) == []


def test_control_machine_path_is_found() -> None:
    for folder in (b"home", b"root", b"Users", b"work"):
        assert machine_paths(PurePosixPath("a.md"), b"ok\nsee /" + folder + b"/ann/data") == ["a.md:2: machine path"]
    assert machine_paths(PurePosixPath("a.md"), b"https://example.org/home/x and docs/home/x and ~/home/x") == []
