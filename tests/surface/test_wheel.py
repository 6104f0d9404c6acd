"""The wheel, installed outside the checkout: every command works there."""

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import ROOT
from tests.support.house.imports import LINKED

pytestmark = pytest.mark.full

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made from the archive of sources, which is a checkout with folders in place of links."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder)], cwd=ROOT, check=True)
    archive = next(folder.glob("delayprop-*.tar.gz"))
    with tarfile.open(archive) as sources:
        names = {name.partition("/")[2] for name in sources.getnames()}
    assert {f"{place}{name}/__init__.py" for name in LINKED for place in ("", "delayprop/")} <= names
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(archive)], check=True)
    return next(folder.glob("delayprop-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment with the wheel and this environment's dependencies."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    programs = folder / "bin"
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-index", str(wheel)], check=True)
    # Python reads no path files in a folder that a path file adds: an editable install stays out.
    dependencies = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text("\n".join(dependencies) + "\n", encoding="utf-8")
    return programs


@pytest.fixture
def run(installed: Path, tmp_path: Path) -> Run:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def of(program: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        line, env = [str(installed / program), *words], {**environment, **more}
        return subprocess.run(line, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    return of


def test_the_wheel_holds_the_files_of_its_packages_and_no_others(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    folders = {"delayprop": ROOT / "delayprop", **{f"delayprop/{name}": ROOT / name for name in LINKED}}
    files = {f"{name}/{p.relative_to(at).as_posix()}" for name, at in folders.items() for p in at.rglob("*.*")}
    assert found == {name for name in files if "__pycache__" not in name}
    assert "delayprop/py.typed" in found


def test_the_names_come_from_the_installed_package(run: Run, installed: Path, tmp_path: Path) -> None:
    for name in LINKED:  # of the user, and first on the path
        (tmp_path / f"{name}.py").write_text("raise SystemExit(__file__)\n", encoding="utf-8")
    program = "from delayprop import *; import delayprop.reference, delayprop.derivations.proof; "
    done = run("python", "-c", program + "print(delayprop.__file__, LIF(3, 2))")
    file, _, layer = done.stdout.strip().partition(" ")
    assert (done.returncode, done.stderr) == (0, "") and layer.startswith("LIF(3 -> 2, ")
    assert Path(file).is_relative_to(installed.parent)


def test_a_run_ends_with_its_pictures_and_can_be_drawn_again(run: Run, tmp_path: Path) -> None:
    trained = run("delayprop", "train", "--task", "sequence", "--out", "run")
    compiling = r"(delayprop compiles its kernels, about \d+, once for this machine: a minute or two\n)?"
    assert trained.returncode == 0 and re.fullmatch(compiling, trained.stderr)  # nothing, once they are compiled
    assert "pictures: run/delays.png" in trained.stdout
    drawn = run("delayprop", "report", "run")
    assert (drawn.returncode, drawn.stderr) == (0, "")
    pictures = drawn.stdout.split()
    assert len(pictures) == 3 and all((tmp_path / picture).stat().st_size > 10_000 for picture in pictures)


def test_a_neuron_is_proved(run: Run, tmp_path: Path) -> None:
    (tmp_path / "neuron.json").write_text('{"rates": {"V": "(-V + I) / tau", "I": "-I / 5"}}', encoding="utf-8")
    done = run("delayprop", "derivations", "--neuron", "neuron.json")
    assert (done.returncode, done.stderr) == (0, "") and "11 of 11 formulas proved in " in done.stdout


def test_a_case_has_the_same_result_as_in_the_checkout(run: Run, tmp_path: Path) -> None:
    assert run("delayprop", "conformance", "--save", "cases").returncode == 0
    case = tmp_path / "cases" / "skip-and-parallel.json"
    here = subprocess.run([sys.executable, "-m", "fast.run", str(case)], cwd=ROOT, capture_output=True, text=True,
                          check=True)
    assert run("delayprop", "run", str(case)).stdout == here.stdout
