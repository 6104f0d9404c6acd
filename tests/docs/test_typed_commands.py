"""Every command that a text tells a reader to type is run, in a copy of the checkout.

Long commands are shortened (`ADDED`). A command of `ELSEWHERE` has a test of its own. A new command
needs nothing here, if it ends soon and with exit code 0.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests import ROOT
from tests.support import forking
from tests.support.commands import python
from tests.support.house.documented import commands, documented, recipe
from tests.support.runs.short_runs import OPTIONS, data_of
from tests.support.runs.written_files import splits

CASE, CERTIFIED = "spec/conformance/cases/one-neuron.json", "spec/certified/lower-one-neuron.json"
PEER = "python tests/support/peers/plain_peer.py"
MEANING = {
    "COMMAND": f"run {CASE}", "CASE.json": CASE, "run FILE": f"run {CERTIFIED}",
    "reference FILE": f"reference {CERTIFIED}", "compare RUN RUN": "compare run other",
    "compare RUN": "compare run other", "reproduce ROW": "reproduce yin-yang", "RUN": "run", "{folder.path}": "run",
    "results FOLDER": "results run other",
    "results runs/mine": "results run",
    "sweep.py FOLDER --task": "sweep.py sweeps/one --task yin-yang", "FOLDER": "data",
    "TRAIN.h5 VALID.h5 TEST.h5": "train.h5 valid.h5 test.h5", "TASK": "yin-yang", "{given['task']}": "yin-yang",
    "--neuron FILE": "--neuron my-neuron.json", "--neuron F": "--neuron my-neuron.json",
    "--inputs N": "--inputs 3", "--jitter J": "--jitter 1", "--distractors R": "--distractors 1",
    "--seed S": "--seed 1", "--grid STEPS": "--grid 1", "WORKLOAD": "recurrent", "$n": "64", "julia mysim.jl": PEER,
    "PROGRAM": PEER, "python stepped_adapter.py": "python examples/conformance/stepped_adapter.py",
    "pytest --evidence FILE": f"python -m pytest --evidence {os.devnull}",
    "REPORT PLANT OPTIONS of fast.train": "report.json - --task yin-yang --out sealed",
    "short_runs OPTIONS": "short_runs --task sequence", "make_certified NAME": "make_certified lower-one-neuron",
}
"""Words of texts that stand for others, and such others; in this order."""

TRAIN = r"(?:delayprop train|python -m (?:cProfile -s cumtime -m )?fast.train)"
SHORT = "--epochs 1 --hidden 8"
COLLECT = "--assert=plain -p no:cacheprovider -n 0 --collect-only -q tests/fast/test_certificate.py tests/cuda"
ADDED = {
    rf"(?:{TRAIN}|delayprop compare)$": "--help",
    r"delayprop train --recurrent": f"--task yin-yang {SHORT}",
    rf"(?:{TRAIN}|python -m tests.support.runs.short_runs) --task sequence": "--epochs 1",
    rf"{TRAIN} --task (?:yin-yang|braille)|python -m tests.support.runs.sealed_run|python docs/sweep.py": SHORT,
    rf"{TRAIN} --task (?:shd|ssc) .*--(?:data|out) ": SHORT,
    rf"{TRAIN} --task shd": f"--data data {SHORT}",
    r"delayprop train --task spikes$": "--data train.h5 test.h5 --epochs 1",
    r"delayprop train --task spikes .*--neuron ": "--epochs 1",
    r"delayprop evaluate --grid$": "1 --json run",
    r"delayprop evaluate --grid ": "run",
    r"delayprop compare --train .*--task spikes": f"{SHORT} --seeds 0 --out runs/kinds",
    r"delayprop compare --train .*--task": f"{SHORT} --seeds 0",
    r"delayprop compare --train": f"--task yin-yang {SHORT} --seeds 0",
    r"delayprop compare --picture$": "accuracies.png run other",
    r"delayprop export --case$": "one.json run",
    r"delayprop export run$": "--case one.json",
    r"(?:delayprop|python -m spec.)\s?conformance$": "--list",
    r"python -m reference$": CASE,
    r"python -m results$": "run",
    r"python -m benchmarks.speed":
        "--batch 2 --inputs 20 --spikes 400 --hidden 8 --duration 200 --max-delay 10 --repeats 1",
    r"python -m benchmarks.delays": "--layers 1 --hidden 8 --inputs 20 --batch 1 --duration 200 --max-delay 16 "
        "--system fast --dtype float32 --threads 1 --repeats 1",
    r"delayprop reproduce shd-rec ": "--scaled",
    r"delayprop reproduce \S": "--scaled --arm '5, delays'",
    r"python -m benchmarks.baselines": "--epochs 1",
    r"python -m tests.tools.make_certified$": "lower-one-neuron",
    r"(?:python -m )?pytest": COLLECT,
    r"python -m mypy": "--follow-imports=skip spec/checks.py",
}
"""Words that complete or shorten the commands that begin so; the first entry counts."""

ELSEWHERE = {
    # installs, or reaches a network
    "tests/surface/test_wheel.py::test_the_names_come_from_the_installed_package":
        ["git clone ADDRESS delayprop", "pip install ."],
    "tests/docs/test_typed_commands.py::test_a_group_that_a_command_installs_exists":
        ["pip install '.[cuda]'", "pip install '.[dcls]'", "pip install -e '.[mutation]'"],
    "tests/house/test_supply.py::test_a_target_installs_what_it_needs_and_keeps_what_is_there":
        ["PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make setup"],
    "tests/house/test_supply.py::test_ci_tries_the_newest_other_python": [".ci/run"],
    # starts several processes, which meet at a port
    "tests/training/test_processes.py::test_two_processes_learn_what_one_learns":
        ["torchrun --nproc-per-node 2 -m delayprop train --task shd --data data --out runs/mine"],
    "tests/training/test_processes.py::test_a_process_that_is_lost_is_started_again":
        ["torchrun --nproc-per-node 2 --max-restarts 3 -m delayprop train --task shd --data data --out runs/mine"],
    # takes minutes
    "tests/derivations/test_derivations.py::test_proved": ["python -m derivations", "delayprop derivations"],
    "tests/reports/test_verification.py::test_the_quick_report_is_green": ["python -m reports"],
    "tests/agreement/test_mutation.py::test_the_command_writes_a_record": [
        f"python -m tests.tools.mutation {words}ROOM" for words in ("", "--sample 300 ", "--sample 300 --file FILE ")
    ],
    # compiles the kernels of the copy
    "tests/docs/test_docs.py::test_the_figure_shows_the_numbers_of_today": ["python -m tests.tools.make_docs_figure"],
    # ends with 1 on a busy machine
    "tests/benchmarks/test_regress.py::test_a_step_beyond_the_limit_exits_1":
        ["python -m benchmarks.regress ../base", "python -m benchmarks.regress BASE"],
    # needs a package that is not always there
    "tests/docs/test_site.py::test_the_site_is_whole_and_fetches_nothing": ["python -m mkdocs build --strict"],
    "tests/conformance/test_conformance_command.py::test_an_adapter_answers_and_refuses": [
        'python -m spec.conformance --command "python examples/conformance/snntorch_adapter.py --dt 0.1"',
        f"python snntorch_adapter.py --dt 1 {CASE}",
    ],
}
"""Commands that do not run here, by the test of all that is ours in them."""
LEFT = [*chain.from_iterable(ELSEWHERE.values())]

BRACKETS = r"(?<= )\[([^]]+)\]"
UNDRAWN = "tests.support.runs.short_runs"
SPEECH = "docs/tutorials/speech.md"  # its first block names the folder of the data once for all
UNLEARNED = ("it has learned nothing from time", "\n100 % reached: ")
"""Words of a training that ends with 1, as a shortened one may."""


def meant(command: str) -> str:
    """A command with all its optional words, and with values."""
    text = re.sub(BRACKETS, r"\1", command).replace("...", "").strip()
    for place, given in MEANING.items():
        text = re.sub(rf"(?<![\w-]){re.escape(place)}(?!\w)", given, text)
    return text


def started(command: str) -> Iterator[str]:
    """A command, or those of a recipe; with `--help`, which hides errors, also without it."""
    for one in map(meant, recipe(command) or [command] if command.startswith("make ") else [command]):
        yield one
        if one.endswith(" --help") and " --" in (whole := one.removesuffix(" --help")):
            yield whole


WRITTEN = documented()
TEXTS = {name: [*chain.from_iterable(map(started, found))] for name, found in WRITTEN.items()}
TYPED = [*dict.fromkeys(chain.from_iterable(TEXTS.values()))]


STUBS = {
    "optuna/__init__.py": """
class TrialPruned(Exception): ...
class Trial:
    number = 0
    def suggest_float(self, name, low, high, log): return low
class Study:
    trials, best_value, best_params = [], 0.0, {}
    def optimize(self, objective, n_trials): self.best_value = objective(Trial())
def create_study(study_name, storage, direction, load_if_exists): return Study()
""",
    "optuna/storages/__init__.py": "JournalStorage = str\n",
    "optuna/storages/journal.py": "JournalFileBackend = str\n",
}
"""In place of the package of `docs/sweep.py`, which nothing here installs."""


def run(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The outcome of a command of `TEXTS`, completed or shortened."""
    assert folder != ROOT, "`make clean` would remove .venv"
    activated = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]), **environment}
    match shlex.split(f"{command} {added(command)}"):
        case ["python", "-m", "pytest", *words]:
            return forking.command("pytest", *words)
        case ["python", "-m", "ruff" | "mypy" as name, *words]:
            return python("-m", name, *words, folder=folder)
        case ["python", "-m", name, *words] if name.startswith("tests.tools."):
            return python("-m", name, *words, folder=folder, PYTHONPATH=str(folder))
        case ["python", "-m", name, *words] | ["delayprop" as name, *words]:
            return forking.called(f"{UNDRAWN}:undrawn_module", name, *words, folder=folder, environment=activated)
        case ["python", *words]:
            return python(*words, folder=folder, PYTHONPATH=f"{folder.parent / 'stubs'}:{ROOT}")
        case ["make", *words]:
            own = {name: value for name, value in os.environ.items() if not name.endswith("FLAGS")}  # of a `make` above
            return subprocess.run(["make", *words], cwd=folder, env=own, capture_output=True, text=True)
        case [program, *words]:
            line = [str(Path(sys.executable).parent / program.removeprefix(".venv/bin/")), *words]
            return subprocess.run(line, cwd=folder, capture_output=True, text=True)
    raise AssertionError(command)


def entry(command: str) -> str | None:
    """The first entry of `ADDED` for a command."""
    return next((start for start in ADDED if re.match(start, command) and not command.endswith("--help")), None)


def added(command: str) -> str:
    return ADDED.get(entry(command), "")


def succeeded(command: str, done: subprocess.CompletedProcess[str]) -> bool:
    shortened = "--epochs 1" in added(command) and any(words in done.stdout for words in UNLEARNED)
    return done.returncode == 0 or (done.returncode == 1 and shortened)


def left_out(at: Path, names: list[str]) -> set[str]:
    """What commands leave in a checkout, and git."""
    here = {".git", ".hypothesis", "runs", "site", "verification"} if at == ROOT else set()
    return {name for name in names if name in here or name.startswith(".venv") or name.strip("_").endswith("cache")}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, with data and finished runs; commands may write into it."""
    folder = tmp_path_factory.mktemp("copy") / "checkout"
    shutil.copytree(ROOT, folder, symlinks=True, ignore=lambda at, names: left_out(Path(at), names))
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    for name, text in STUBS.items():
        path = folder.parent / "stubs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    page = (ROOT / "docs" / "tutorials" / "own-neuron.md").read_text(encoding="utf-8")
    (folder / "my-neuron.json").write_text(re.findall(r"```text\n(\{\n.*?)```", page, re.DOTALL)[0], encoding="utf-8")
    splits(folder, 40, "train", "valid", "test")
    (folder / "data").mkdir()
    of_task = {"braille": ("train", "valid", "test"), "shd": ("train", "test"), "ssc": ("train", "valid", "test")}
    splits(folder / "data", 40, *(f"{task}_{split}" for task, own in of_task.items() for split in own))
    for path in folder.glob("data/shd_*.h5"):
        with h5py.File(path, "a") as file:
            file["extra/speaker"] = np.arange(40) % 8
            file["labels"][...] = np.arange(40) % 20
    for name, more in (("run", []), ("other", ["--freeze-delays"])):
        words = [*OPTIONS, *data_of(folder), "--shift", "1", "--out", folder / name, *more]
        assert forking.command(UNDRAWN, *words).returncode in (0, 1)
    return folder


@pytest.mark.full
@pytest.mark.parametrize("name", TEXTS)
def test_every_command_of_a_text_runs(name: str, checkout: Path) -> None:
    """A command may need the run of an earlier one; one of several texts runs for the first."""
    for folder in ("runs", "my-run"):
        shutil.rmtree(checkout / folder, ignore_errors=True)
    texts = [*TEXTS]
    before = {*chain.from_iterable(TEXTS[text] for text in texts[: texts.index(name)])}
    exported = {"DELAYPROP_DATA": "data"} if name == SPEECH else {}
    here = [one for one in TEXTS[name] if one not in {*before, *LEFT}]
    done = {command: run(command, checkout, **exported) for command in here}
    assert [f"{one}\n{it.stdout}{it.stderr}" for one, it in done.items() if not succeeded(one, it)] == []


@pytest.mark.full
@pytest.mark.parametrize("command", [
    "delayprop train --task sequence --speed 3", "python -m derivations spike one proof", "make everything",
    "python -m benchmarks.nothing", "delayprop learn --help", "python -m fast.train --task shd --data nowhere",
])
def test_control_a_command_that_fails_is_found(command: str, checkout: Path) -> None:
    assert not succeeded(command, run(command, checkout))


def test_no_entry_is_stale() -> None:
    found = [re.sub(BRACKETS, r"\1", one).replace("...", "") for one in chain.from_iterable(WRITTEN.values())]
    assert [place for place in MEANING if not any(place in one for one in found)] == []
    run_here = [one for one in TYPED if one not in LEFT]
    assert {*ADDED} == {entry(one) for one in run_here} - {None}
    assert {*LEFT} <= {*TYPED}
    assert [one for one in run_here if re.search(r"\b[A-Z]+\b(?!=)|\$", one)] == [], "a word that stands for another"


@pytest.mark.parametrize("place", ELSEWHERE)
def test_a_test_elsewhere_exists(place: str) -> None:
    path, _, name = place.partition("::")
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


def test_a_group_that_a_command_installs_exists() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    asked = {name for one in TYPED for name in re.findall(r"pip install .*'\.\[(\w+)\]'", one)}
    asked |= {name for one in chain.from_iterable(WRITTEN.values()) for name in re.findall(r"EXTRAS=(\S+)", one)}
    assert len(asked) > 1 and {name for names in asked for name in names.split(",")} <= {*groups}


TEXT = """Type `delayprop train
--task new`; not `delayprop`, `make` or `git log`.

    make new    # a comment
    for n in 1 2; do python -m benchmarks.new --hidden $n; done
    small="--hidden 4"
    delayprop train $small \\
        --out new &

```python
delayprop = 3  # then: python -m new
```

```
python docs/new.py  # a comment
```

    save(case)  # then: python -m reference new.json
"""


def test_control_each_command_of_a_text_is_found() -> None:
    assert [*commands(TEXT)] == [
        "delayprop train --task new", "make new", "python -m benchmarks.new --hidden $n",
        "delayprop train --hidden 4 --out new", "python docs/new.py", "python -m reference new.json",
    ]
