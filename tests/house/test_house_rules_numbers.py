"""No NaN disappears in code that computes gradients; planted forms must be found, and lawful neighbours must not."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from tests.support.house.hidden import LAWFUL, PACKAGES, hidden_numbers
from tests.support.house.imports import PYTHON_FILES, read


def test_no_nan_is_hidden_where_gradients_are_computed() -> None:
    files = [path for path in PYTHON_FILES if path.parts[0] in PACKAGES]
    assert {path.parts[0] for path in files} == set(PACKAGES)
    found = [line for path in files for line in hidden_numbers(path, read(path).decode())]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("path", "line"), LAWFUL)
def test_every_exception_is_still_there(path: str, line: str) -> None:
    """And none stands for more than one line."""
    lines = [one.strip() for one in read(PurePosixPath(path)).decode().splitlines()]
    assert lines.count(line) == 1


@pytest.mark.parametrize(
    "text",
    [
        "g = np.nan_to_num(g)",
        "g.nan_to_num_()",
        "total = torch.nansum(g)",
        "total = g.nansum()",
        "from numpy import nanmean",
        'total = getattr(np, "nanmax")(g)',
        "worst = np.nanargmax(g)",
        "g = np.fmax(g, 0.0)",
        "scaler = torch.amp.GradScaler()",
        "x[x != x] = 0",
        "x[np.isnan(x)] = 0",
        "x[~torch.isfinite(x)] = 0",
        "mask = ~isfinite(x)\nx[mask] = 0",
        "bad = x.isnan()\ny = x.masked_fill(bad, 0.0)",
        "y = x[x == x].sum()",
        "y = x[~np.isnan(x)].sum()",
        "y = torch.where(torch.isnan(g), 0, g)",
        "y = torch.where(g == g, g, 0)",
        "y = torch.where(torch.isfinite(g), g, torch.zeros_like(g))",
        "y = g.where(~g.isnan(), g, other=0)",
        "g.masked_fill_(g.isnan(), 0.0)",
        "np.putmask(g, np.isnan(g), 0)",
        "np.copyto(g, 0.0, where=np.isnan(g))",
        "y = 0.0 if math.isnan(g) else g",
        "y = g if g == g else 0.0",
        "is_nan = g != g\ny = 0.0 if is_nan else g",
        "if not torch.isfinite(g).all():\n    g = torch.zeros_like(g)",
        "if torch.isfinite(loss):\n    optimiser.step()",
        "for g in grads:\n    if g != g:\n        continue\n    total += g",
        'with np.errstate(invalid="ignore"):\n    f()',
        'np.seterr(all="ignore")',
        "if (nan := x != x):\n    x = 0.0",
    ],
)
def test_control_a_hidden_nan_is_found(text: str) -> None:
    assert len(hidden_numbers(PurePosixPath("fast/a.py"), text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "if not torch.isfinite(g).all():\n    raise NotFiniteError(name)",
        "if isfinite(g):\n    use(g)\nelse:\n    raise ValueError",
        "wrong = [~torch.isfinite(g).all()]\nif any(wrong):\n    raise ValueError",
        "raise refuse(times[~np.isfinite(times)][0])",
        "ring[slot] = math.nan",
        "y = where(exists, g, 0.0)",
        "y = g.masked_fill(~exists, 0.0)",
        "y = g[order]",
        "y = g if want else None",
        "y = g[g != h]",
        "if a == b:\n    y = 0.0",
        'with np.errstate(over="ignore"):\n    f()',
        "nanoseconds = 1e9 * seconds",
        '"""A NaN is never hidden: no nan_to_num."""',
        "y = torch.nanny",
        "y = max(a, b)",
    ],
)
def test_control_what_shows_a_nan_is_left_alone(text: str) -> None:
    assert hidden_numbers(PurePosixPath("fast/a.py"), text) == []


def test_control_an_exception_is_of_one_file_and_one_line() -> None:
    (path, line) = next(iter(LAWFUL))
    text = f"is_nan = V != V\n{line}"
    assert hidden_numbers(PurePosixPath(path), text) == []
    assert len(hidden_numbers(PurePosixPath("fast/other.py"), text)) == 1
    assert len(hidden_numbers(PurePosixPath(path), text.replace("at.zero", "0.0"))) == 1
