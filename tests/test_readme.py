"""What the README shows works: its program learns, its commands and files exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fast.tasks import braille, sequence

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_program_of_the_readme_learns(capsys: pytest.CaptureFixture[str]) -> None:
    program = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert program is not None
    exec(compile(program[1], "README.md", "exec"), {})
    printed = capsys.readouterr().out
    found = re.match(r"loss (\S+), smallest conditioning of a spike (\S+)", printed)
    assert found is not None
    assert float(found[1]) < 0.2, "two trials are easily learned; chance is 0.69"
    assert float(found[2]) > 0


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
    assert callable(sequence.train) and callable(braille.train)
