"""What the README shows works: its program learns, its commands and files exist."""

from __future__ import annotations

import re

import pytest

from fast.tasks import braille
from fast.tasks.sequence import task as sequence
from tests import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def program() -> str:
    found = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


def learned(text: str, capsys: pytest.CaptureFixture[str]) -> list[float]:
    """How far off it was at each step that the program prints, ms."""
    exec(compile(text, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    found = [re.fullmatch(r"step +\d+: +(\S+) ms off, smallest conditioning (\S+)", line) for line in printed]
    assert len(found) == 5
    assert all(line is not None and float(line[2]) > 0 for line in found)
    return [float(line[1]) for line in found if line is not None]


def test_the_program_of_the_readme_learns(capsys: pytest.CaptureFixture[str]) -> None:
    """A user's own network in 25 lines: from milliseconds to microseconds."""
    off = learned(program(), capsys)
    assert off[0] > 5.0 and off[-1] < 0.05 and off == sorted(off, reverse=True)
    assert len(program().splitlines()) <= 25


def test_control_with_frozen_delays_it_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    frozen = program().replace('"lr": 0.2}', '"lr": 0.0}')
    assert frozen != program()
    assert min(learned(frozen, capsys)) > 5.0


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", TEXT)
    local = [link for link in links if not link.startswith("http")]
    assert local and all((ROOT / link).exists() for link in local)


def test_the_commands_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^    |`)make ([a-z]+)", TEXT, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for module in re.findall(r"python -m ([a-z]+(?:\.[a-z]+)*)", TEXT):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
    assert callable(sequence.prepare) and callable(braille.prepare)
