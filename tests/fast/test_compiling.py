"""The compiler of kernels: its cache, and what a terminal shows meanwhile."""

import errno
import gc
import io
import os
import pickle
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import product
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any

import numba
import pytest
from numba.core.compiler import Compiler
from numba.core.errors import TypingError
from numba.core.event import trigger_event

from delayprop.fast.compile import main as compile_command
from delayprop.fast.compiling import announcing, caching, compiler, keeping
from delayprop.fast.compiling.announcing import TOLD, announcer, to_compile
from delayprop.fast.compiling.compiler import on_host
from delayprop.fast.cpu.forward import forward_sweep, forward_trial
from delayprop.fast.cpu.sorting import sort_by_bin
from delayprop.fast.train import main as train_command
from delayprop.spec import SpecError
from tests import ROOT
from tests.support.commands import python
from tests.support.faults.planting import edit, plant
from tests.support.runs.reading import screen

KERNEL = """
import numpy as np
from delayprop.fast.compiling.compiler import outermost
from delayprop.fast.physics.factors import factors_of
from delayprop.fast.layout.arrays import LANES

@outermost
def factor(coefficients):
    return factors_of(1.0, 0, coefficients, (0, 1))[0]

if __name__ == "__main__":
    print(factor(np.ones(100 * LANES)))
"""


def run(folder: Path) -> float:
    path = f"{folder}{os.pathsep}{ROOT}"
    return float(python("-P", "-m", "delayprop.fast.cpu.kernel", folder=folder, PYTHONPATH=path).stdout)


@pytest.mark.full
def test_an_edit_of_a_called_function_reaches_a_compiled_kernel(tmp_path: Path) -> None:
    """Numba alone would answer from its cache: the file of the kernel has not changed."""
    folder = plant(None, "fast", tmp_path)
    (folder / "fast" / "cpu" / "kernel.py").write_text(KERNEL)
    assert run(folder) == 2.0
    edit(folder / "fast" / "physics" / "polynomials.py", "    return value\n", "    return 1.5 * value\n")
    assert run(folder) == 3.0


@pytest.mark.parametrize("collects", [False, True], ids=["off before", "on before"])
def test_nothing_is_collected_while_a_kernel_compiles(collects: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Afterwards the collector is as before, also where a kernel does not compile."""
    seen, compile_extra = [], Compiler.compile_extra

    def watched(self: Any, function: Any) -> Any:
        seen.append(gc.isenabled())
        return compile_extra(self, function)

    monkeypatch.setattr(Compiler, "compile_extra", watched)
    monkeypatch.setattr(compiler, "cache_folder", lambda of: None)
    before = gc.isenabled()
    (gc.enable if collects else gc.disable)()
    try:
        assert compiler.outermost(lambda x: x + 1)(2) == 3
        with pytest.raises(TypingError):
            compiler.outermost(lambda x: x + "")(2)
        assert gc.isenabled() == collects
    finally:
        (gc.enable if before else gc.disable)()
    assert seen == [False, False]


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A folder with a copy of `fast` that cannot be written, not even by root, and with `temp`."""
    plant(None, "fast", tmp_path)
    (tmp_path / "fast" / "__pycache__").write_text("a file")
    (tmp_path / "temp").mkdir()
    return tmp_path


# A user without an entry in the system's list of users, as `docker run --user 4242` has it.
STRANGER = "import os, runpy, sys; os.getuid = lambda: 2**31 - 3; "
PROGRAMS = {
    "the command": "sys.argv[1:] = ['run', '--help']; runpy.run_module('delayprop', run_name='__main__')",
    "the module": "sys.argv[1:] = ['--help']; runpy.run_module('fast.run', run_name='__main__')",
    "the package": "import delayprop; delayprop.LIF; import matplotlib.pyplot",
}


def as_stranger(sealed: Path, program: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.defpath, "TMPDIR": str(sealed / "temp"), "PYTHONPATH": f"{sealed}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-P", "-c", STRANGER + program]
    return subprocess.run(command, cwd=sealed, env={**environment, **more}, capture_output=True, text=True)


@pytest.mark.full
@pytest.mark.parametrize(("name", "home"), [("the module", "a file"), ("the package", "none")])
def test_no_home_and_no_writable_package(name: str, home: str, sealed: Path) -> None:
    done = as_stranger(sealed, PROGRAMS[name], **({} if home == "none" else {"HOME": str(sealed / "fast/run.py/home")}))
    assert done.returncode == 0, done.stderr
    folder = sealed / "temp" / f"delayprop-{os.geteuid()}"
    said = f"{sealed / 'delayprop/fast'} nor a home can be written: compiled kernels are kept in {folder}; set"
    assert said in done.stderr and done.stderr.count("\n") == 2, "one warning, and the line that it quotes"
    assert [path.name for path in folder.glob("kernels-*")] and folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.full
def test_a_cache_can_be_named(sealed: Path) -> None:
    done = as_stranger(sealed, PROGRAMS["the command"], DELAYPROP_CACHE=str(sealed / "mine"))
    assert done.returncode == 0 and done.stderr == "" and [*(sealed / "mine").glob("kernels-*")]
    done = as_stranger(sealed, PROGRAMS["the command"], DELAYPROP_CACHE=str(sealed / "fast" / "run.py"))
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert " run: `DELAYPROP_CACHE` must be an absolute path of a folder that can be made and written" in done.stderr


@pytest.mark.parametrize("value", ["mine", "/dev/null/mine"])
def test_a_cache_that_cannot_be_used_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELAYPROP_CACHE", value)
    with pytest.raises(SpecError, match=f"`DELAYPROP_CACHE` must be an absolute path .*got '{value}'; name another"):
        caching.writable_folder.__wrapped__()


def anybodys(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


def a_link(folder: Path) -> None:
    (folder.parent / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to("elsewhere")


@pytest.mark.parametrize("made", [anybodys, a_link, Path.touch])
def test_a_folder_of_another_user_keeps_no_kernel(
    made: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel is a pickle, which runs code when it is read. Then nothing is kept."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("DELAYPROP_CACHE", raising=False)
    monkeypatch.setattr(caching, "PACKAGE", Path("/dev/null"))
    monkeypatch.setenv("HOME", "/dev/null")
    made(tmp_path / f"delayprop-{os.geteuid()}")
    with pytest.warns(UserWarning, match="compiled kernels are not kept, so that each start compiles them anew"):
        assert caching.writable_folder.__wrapped__() is None
    monkeypatch.setattr(compiler, "cache_folder", lambda of: None)
    assert compiler.outermost(lambda n: n + 1)(1) == 2


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Calls a small kernel, as a new start does; returns its result and whether it was compiled."""
    monkeypatch.setattr(compiler, "cache_folder", lambda of: tmp_path / "kernels")
    keeping._tell.cache_clear()

    def call(value: float = 1.0) -> tuple[float, bool]:
        kernel: Any = compiler.outermost(lambda x: x + 2)
        return kernel(value), not kernel.stats.cache_hits

    return call


def file_of(folder: Path, ending: str) -> Path:
    (file,) = folder.glob(f"kernels/*/*.{ending}")
    return file


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "half": lambda whole: whole[: len(whole) // 2],
    "random": lambda whole: random.Random(1).randbytes(len(whole)),
    "nonsense": lambda whole: pickle.dumps(numba.__version__) + pickle.dumps(7),
    "a byte of the code": lambda whole: whole.replace(b"ELF", b"ELG"),  # it still unpickles
}
ONE_LINE = "delayprop: damaged kernels in {} are compiled anew\n"


@pytest.mark.parametrize(("damage", "ending"), [
    *product([*DAMAGES][:-1], ("nbi", "nbc")), ("a byte of the code", "nbc"),
])
def test_a_damaged_kernel_is_compiled_anew(
    damage: str, ending: str, kept: Callable, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One line tells so, and the next start has it again."""
    assert [kept(), kept()] == [(3.0, True), (3.0, False)]
    file = file_of(tmp_path, ending)
    whole = file.read_bytes()
    file.write_bytes(DAMAGES[damage](whole))
    assert file.read_bytes() != whole and capfd.readouterr().err == ""
    assert kept() == (3.0, True) and capfd.readouterr().err == ONE_LINE.format(tmp_path / "kernels")
    assert kept() == (3.0, False) and capfd.readouterr().err == ""


def test_code_of_other_types_does_not_run(
    kept: Callable, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Two processes that save a kernel at once for other types leave such a pair of files."""
    kept(1.0)
    index = file_of(tmp_path, "nbi").read_bytes()
    file_of(tmp_path, "nbi").unlink()
    kept(1)
    file_of(tmp_path, "nbi").write_bytes(index)
    assert kept(1.5) == (3.5, True) and capfd.readouterr().err == ONE_LINE.format(tmp_path / "kernels")


def test_a_full_disk_ends_nothing(
    kept: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """One line for all kernels; a second one where not even a folder can be made."""
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a file")

    line = f"delayprop: compiled kernels are not kept in {tmp_path / 'kernels'} ({{}}); make room, or set "
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert [kept(), kept(1)] == [(3.0, True), (3, True)]
        err = capfd.readouterr().err
        assert err.startswith(line.format("No space left on device")) and err.count("\n") == 1
        assert not [*tmp_path.glob("kernels/*/*.nbc*")]
    with monkeypatch.context() as patch:
        patch.setattr(os, "makedirs", full)
        assert kept() == (3.0, True)
        err = capfd.readouterr().err
        assert err.startswith(line.format("it cannot be written")) and err.count("\n") == 1
    assert [kept(), kept()] == [(3.0, True), (3.0, False)]


def test_a_folder_of_kernels_that_vanishes_is_made_again(
    kept: Callable, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kernel = compiler.outermost(lambda x: x + 4)
    shutil.rmtree(tmp_path / "kernels")
    assert kernel(1) == 5 and file_of(tmp_path, "nbc") and capfd.readouterr().err == ""


def compile_(outer: Any, *inner: Any) -> None:
    with trigger_event("numba:compile", data={"dispatcher": outer}):
        for one in inner:
            compile_(one)


@pytest.mark.parametrize("terminal", [True, False])
def test_each_kernel_has_a_bar(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inner functions, and kernels of other packages, have none. No terminal: one line for all."""
    monkeypatch.setattr(announcer, "told", False)
    monkeypatch.setattr(announcing, "imported", [])
    err = screen(monkeypatch, terminal)
    compile_(forward_sweep, forward_trial)
    compile_(SimpleNamespace(py_func=io.open))
    compile_(sort_by_bin)
    shown = err.getvalue()
    for name, times in (("forward sweep", 1), ("sort by bin", 1), ("forward trial", 0), ("open", 0)):
        assert (f"compiling {name}, once for this machine   0%|" in shown) == (terminal and times)
    if terminal:
        assert not shown.rpartition("\r")[2].strip(), "the line is free again"
    else:
        assert shown == f"{TOLD.format(1)}\n"


def test_it_tells_how_many_kernels_may_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of no more types than the one that is being compiled."""
    once, twice, never = (SimpleNamespace(overloads=dict.fromkeys(range(types))) for types in (1, 2, 0))
    monkeypatch.setattr(announcing, "imported", [once, twice, never])
    assert [announcing.waiting(one) for one in (once, twice, never)] == [1, 2, 0]
    err = screen(monkeypatch)
    compile_(SimpleNamespace(py_func=on_host(forward_sweep), overloads={1: 1}))
    assert "compiling forward sweep, once for this machine, about 2 more   0%|" in err.getvalue()


@pytest.mark.full
def test_after_the_command_a_training_compiles_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--recurrent", "--learn-constants"]
    assert compile_command([*words, "--constants", "q=1.5"]) == 2 and not capsys.readouterr().out
    assert compile_command(words) == 0
    shown = capsys.readouterr().out.splitlines()
    forms = product(("float64", "float32"), ("", ", recurrent"), ("", ", with learned time constants"))
    assert shown[:-1:2] == [f"{n} of 8: lif, {''.join(form)}" for n, form in enumerate(forms, start=1)]
    before = [len(kernel.overloads) for kernel in announcing.imported]
    words = ["--task", "yin-yang", "--epochs", "1", "--hidden", "4", "--recurrent", "--learn-constants", "--no-test"]
    assert train_command([*words, "--out", str(tmp_path / "run")]) in (0, 1)
    assert [len(kernel.overloads) for kernel in announcing.imported] == before


def test_functions_of_an_earlier_kernel_do_not_count() -> None:
    def before() -> None: ...
    def after() -> None: ...

    named = {
        "early": SimpleNamespace(py_func=before, overloads={1: 1}),
        "late": SimpleNamespace(py_func=after, overloads={}),
    }
    kernel = FunctionType(compile("early(), late()", "kernel", "exec"), named)
    assert to_compile(SimpleNamespace(py_func=kernel, overloads={})) == {kernel, after}
    assert to_compile(SimpleNamespace(py_func=kernel, overloads={1: 1})) == {kernel, before, after}


def test_the_bar_counts_the_to_compile_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = screen(monkeypatch)
    functions = to_compile(forward_sweep)
    names = {function.__name__ for function in functions}
    assert {"forward_sweep", "forward_trial", "collect"} < names and len(names) > 30
    inner = [SimpleNamespace(py_func=one) for one in functions if one.__name__ != "forward_sweep"]
    compile_(forward_sweep, *inner, *inner)  # for several types, some are compiled several times
    shown = [int(percent) for percent in re.findall(r"(\d+)%", terminal.getvalue())]
    assert shown == sorted(shown) and shown[0] == 0 and shown[-1] == 100 and len(set(shown)) > 30
