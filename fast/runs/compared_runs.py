"""Finished runs to compare, from their folders or from lines of results, in groups of seeds."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from delayprop.fast.data.new_files import content_of
from delayprop.fast.data.records import AMOUNT, COUNT, NUMBER, PAIRS, TEXT, RecordError, checked, of_this_version
from delayprop.fast.runs.saved_runs import HOW_IT_RAN, check_network, tested
from delayprop.fast.training.settings import with_defaults
from delayprop.spec.errors import SpecError, Verbatim

LINES = ".jsonl"
LINE = {
    "task": TEXT, "seed": COUNT, "test_accuracy": NUMBER, "valid_accuracy": NUMBER, "seconds": AMOUNT,
    "delay?": AMOUNT, "trials_sha256?": TEXT, "wrong?": PAIRS,
}
WITH, REMEDY = {"hidden", "delay", "freeze_delays"}, "give lines of `python -m results`, of runs with a test"
OF_THE_RESULT = frozenset({  # the entries of a line of results that are no setting
    "network", "best_epoch", "test_accuracy", "count_baseline", "interval", "trials_sha256", "wrong", "train_accuracy",
    "valid_accuracy", "rounding", "float64", "seconds", "machine", "state_sha256",
})
NOT_A_SETTING = HOW_IT_RAN | OF_THE_RESULT | {"arm", "seed", "preset", "certify"}


class Outcome(NamedTuple):
    """Of a run; accuracies in per cent. `of_trials`: the 95 % interval of the test accuracy by the
    number of trials (None: of a line, which has none). `wrong`: the SHA-256 of the test trials, and
    the wrong ones (None: not recorded)."""

    test: float
    valid: float
    seconds: float
    of_trials: tuple[float, float] | None
    wrong: tuple[str, frozenset[int]] | None


class Group(NamedTuple):
    """Runs that differ only in their seed, by seed."""

    settings: dict
    runs: dict[int, Outcome]

    @property
    def test(self) -> list[float]:
        return [run.test for run in self.runs.values()]


def grouped(paths: Sequence[Path], several_tasks: bool = False) -> list[Group]:
    """Runs of folders and files of results, in groups of equal settings, in the order given."""
    groups: list[Group] = []
    for path in paths:
        for where, run in _lines(path) if path.suffix == LINES else [(str(path), _of_folder(path))]:
            if groups and run["task"] != groups[0].settings["task"] and not several_tasks:
                expected = f"a run of {groups[0].settings['task']}, as the first"
                raise SpecError(where, expected, run["task"], "compare runs of one task")
            settings = {name: value for name, value in run.items() if name not in NOT_A_SETTING}
            group = next((one for one in groups if one.settings == settings), None)
            if group is None:
                groups.append(group := Group(settings, {}))
            if run["seed"] in group.runs:
                got = Verbatim(f"seed {run['seed']} twice")
                raise SpecError(where, "a run of another seed or settings", got, "name each run once")
            group.runs[run["seed"]] = Outcome(
                100 * run["test_accuracy"], 100 * run["valid_accuracy"], run["seconds"], run.get("interval"),
                _wrong(run),
            )
    return groups


def _of_folder(folder: Path) -> dict:
    """Settings and result of a run, with the names of a line."""
    run = tested(folder)
    check_network(run)
    if "test_accuracy" not in run.result:
        raise SpecError(str(folder), "a run that classifies", Verbatim(run.options.get("task")), "leave it out")
    found = {name: run.result[name] for name in ("test_accuracy", "trials_sha256", "wrong") if name in run.result}
    with of_this_version(folder):
        return {
            **run.options, **found, "interval": tuple(100 * end for end in run.result["interval"]),
            "seconds": sum(line["seconds"] for line in run.history), "valid_accuracy": run.accuracies["valid"],
        }


def _lines(path: Path) -> list[tuple[str, dict]]:
    """The lines of a file of results, each with its place, for a message."""
    found = []
    try:
        lines = content_of(path).decode("utf-8").splitlines()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SpecError(str(path), "a file of results", Verbatim(reason), REMEDY) from None
    if not lines:
        raise SpecError(str(path), "a file of at least one line", Verbatim("an empty one"), REMEDY)
    for n, line in enumerate(lines, start=1):
        where = f"{path} line {n}"
        run = checked(line, LINE, where, REMEDY)
        if not run.keys() >= WITH:
            raise RecordError(where, "a line with all settings", f"one without {min(WITH - run.keys())}", REMEDY)
        run.pop("interval", None)  # a line has none
        found.append((where, with_defaults(run)))
    return found


def _wrong(run: dict) -> tuple[str, frozenset[int]] | None:
    """The test trials of a run, as their SHA-256, and which of them it has wrong."""
    if not {"trials_sha256", "wrong"} <= run.keys():
        return None  # a run of an older version
    return run["trials_sha256"], frozenset(trial for trial, _ in run["wrong"])


def by_task(groups: Sequence[Group]) -> dict[str, list[Group]]:
    found: dict[str, list[Group]] = {}
    for group in groups:
        found.setdefault(group.settings["task"], []).append(group)
    return found


def differing_settings(groups: Sequence[Group]) -> list[str]:
    names = sorted({name for group in groups for name in group.settings})
    return [n for n in names if len({repr(group.settings.get(n)) for group in groups}) > 1]
