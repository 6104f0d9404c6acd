"""Plants a fault in a copy of a package, then runs checks, tests or cases on that copy.

Each copy is used in a child process (`tests.support.forking`), whose imports it diverts. The
kernels of a copy run uncompiled: on networks this small, Python is faster than the compiler. A copy
with a fault beside the kernels (`WITHOUT_KERNELS`, or another package than `fast`) can use the
compiled kernels of this checkout.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from delayprop.spec import Case, Result
from tests import ROOT
from tests.support.commands import python
from tests.support.faults.catalogue import Fault
from tests.support.forking import called
from tests.support.simulated_gpu import small_blocks

WITHOUT_KERNELS = ("training", "data", "compare")  # parts of `fast` that the server of forks has not imported


def plant(fault: Fault | None, package: str, folder: Path) -> Path:
    """Copy `delayprop` and `package` into `folder`, with the fault if there is one; its other
    packages are links to this checkout. Returns `folder`."""
    for name in ("delayprop", package):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for link in (ROOT / "delayprop").iterdir():
        if link.is_symlink() and link.name != package:
            (folder / link.name).symlink_to(ROOT / link.name)
    if fault is not None:
        edit(folder / package / fault.file, fault.text, fault.wrong)
    return folder


def edit(path: Path, text: str, wrong: str) -> None:
    source = path.read_text(encoding="utf-8")
    assert source.count(text) == 1, f"`{text}` must occur once in {path.name}"
    path.write_text(source.replace(text, wrong), encoding="utf-8")


def findings(
    package: str, fault: Fault | None, folder: Path, evidence: Path, kinds: Mapping[str, str] | None = None
) -> dict[str, float]:
    """`findings.worst` on a copy of `package` in `folder`, with the fault, if there is one; `cuda`:
    of `fast` on a simulated GPU, which takes a fresh interpreter."""
    plant(fault, "fast" if package == "cuda" else package, folder)
    if package != "cuda":
        return _printed("print_findings", folder, package, evidence, kinds)
    call = f"print_findings({str(folder)!r}, {package!r}, {str(evidence)!r}, {kinds!r})"
    program = f"from tests.support.faults.planting import print_findings; {call}"
    return _loaded(python("-c", program, NUMBA_ENABLE_CUDASIM="1"))


def outcome(
    fault: Fault | None, folder: Path, file: str, chosen: str, compiled: bool
) -> subprocess.CompletedProcess[str]:
    """Run the tests of `tests/FILE` that `-k CHOSEN` selects, on a copy in `folder` of the package
    that has the fault; `compiled`: with the kernels of this checkout, which a fault of
    `WITHOUT_KERNELS` allows."""
    package = "fast" if fault is None else fault.package
    assert not compiled or fault is None or package != "fast" or fault.file.startswith(WITHOUT_KERNELS)
    plant(fault, package, folder)
    return called("tests.support.faults.planting:run_tests", folder, package, compiled, f"tests/{file}", chosen)


def _printed(function: str, *arguments: object) -> dict[str, Any]:
    return _loaded(called(f"tests.support.faults.planting:{function}", *arguments))


def _loaded(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# The rest is called in the child.


def use_copy(folder: str) -> None:
    """Import packages from `folder` first, and compile nothing."""
    from numba import config

    setattr(config, "DISABLE_JIT", True)  # noqa: B010 - made at import, so unknown to type checkers
    os.environ |= {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    sys.path.insert(0, folder)
    forget("delayprop", "tests")


def use_copy_but_kernels(folder: str) -> None:
    """Import from the copy of `fast` in `folder` all that is not imported yet."""
    import delayprop.fast as fast

    later = tuple(f"delayprop.fast.{each}" for each in WITHOUT_KERNELS)
    assert not [name for name in sys.modules if name.startswith(later)]
    fast.__path__[:] = [f"{folder}/delayprop/fast"]
    forget("tests")


def forget(*packages: str) -> None:
    """Let the next import of these packages look for them anew."""
    for name in [name for name in sys.modules if name.split(".")[0] in packages]:
        del sys.modules[name]


def _assert_copied(module: str, folder: str) -> None:
    file = sys.modules[module].__file__
    assert file is not None and Path(file).is_relative_to(folder), f"ran {file}, which is not the copy"


def print_findings(folder: str, package: str, evidence: str, kinds: Mapping[str, str] | None) -> None:
    """`findings`, as JSON."""
    use_copy(folder)
    from tests.support.faults.findings import worst

    on_cuda = package == "cuda"
    if on_cuda:
        small_blocks()
    print(json.dumps(worst("fast" if on_cuda else package, Path(evidence).read_bytes(), kinds)))
    _assert_copied("delayprop.fast.cuda.solver" if on_cuda else f"delayprop.{package}", folder)


def runner(package: str) -> Callable[[Case], Result]:
    if package == "reference":
        from delayprop.reference import run

        return run
    from delayprop.fast.run import run_case

    return run_case


def run_tests(folder: str, package: str, compiled: bool, file: str, chosen: str) -> int:
    """Runs `outcome` in the child; returns the exit code of pytest."""
    if package == "fast":
        (use_copy_but_kernels if compiled else use_copy)(folder)
    else:  # which the server has not imported
        forget("tests")
    import pytest

    code = pytest.main([
        "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", f"--basetemp={folder}/temporary",
        "--import-mode=importlib",
        "-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning",  # imported by the server
        "-o", f"pythonpath={folder} {ROOT}", file, "-k", chosen,
    ])
    of_copy = {"fast": "delayprop.fast.training" if compiled else "delayprop.fast."}.get(package, f"{package}.")
    for name in [name for name in sys.modules if name.startswith(of_copy)]:
        _assert_copied(name, folder)
    return int(code)
