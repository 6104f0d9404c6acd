"""Faults of training code, most of them reported elsewhere, and of numbers that a person reads.

Each, planted, turns a test red.
"""

import signal
from pathlib import Path

import pytest

from tests.support.faults.planting import Fault, outcome
from tests.support.faults.readings import READINGS

pytestmark = pytest.mark.full

CHECKPOINTS, SURVIVAL, CLASSIFY, PROCESSES, ACTIVITY, EVALUATION, GENERALISATION, REFUSALS, SIGNALS = (
    f"training/test_{name}.py" for name in (
        "checkpoints", "survival", "classify", "processes", "activity", "evaluation", "generalisation",
        "survival_refusals", "survival_signals",
    )
)
AUGMENT = "data/test_augment.py"
KILLED = "test_a_run_that_was_killed_ends_in_the_same_bits and classification and 7"


Planted = tuple[Fault, str, str]
"""A fault, a file of tests, and the tests there that must see it."""


def fault(name: str, file: str, text: str, wrong: str, tests: str, chosen: str) -> Planted:
    return Fault(name, "fast", file if "/" in file else f"training/{file}", text, wrong), tests, chosen


FAULTS = (
    fault("no fsync", "data/new_files.py", "            os.fsync(file.fileno())\n", "", CHECKPOINTS, "order"),
    fault("folder not synced", "data/new_files.py", "        os.fsync(folder)", "        pass", CHECKPOINTS, "order"),
    fault("in place", "data/new_files.py", 'path.with_name(f".{path.name}{HALF}")', "path", CHECKPOINTS, "order"),
    fault("no checksum", "checkpoints.py", ".hexdigest() != digest:", ".hexdigest() == 0:", CHECKPOINTS, "one_byte"),
    fault("one kept", "checkpoints.py", "KEPT = 2", "KEPT = 1", CHECKPOINTS, "truncated or last_two"),
    fault("pickle", "checkpoints.py", "weights_only=True", "weights_only=False", CHECKPOINTS, "nothing_in_a_file"),
    fault(
        "half stays", "checkpoints.py", "            path.unlink()\n\n",
        "            pass\n\n", CHECKPOINTS, "nothing_else",
    ),
    fault("all half removed", "checkpoints.py", 'f".*{HALF}"', '".*"', CHECKPOINTS, "nothing_else"),
    fault(
        "optimiser forgotten", "classify.py",
        'restore_optimiser(self.optimiser, state["optimiser"], self.optimiser.steps)', "pass", SURVIVAL, KILLED,
    ),
    fault("best forgotten", "classify.py", 'state["best"], Epoch(', "self.best, Epoch(", SURVIVAL, KILLED),
    fault("sums forgotten", "classify.py", 'Epoch(**state["epoch"])', "Epoch()", SURVIVAL, KILLED),
    fault(
        "one order for ever", "data/batches.py", "default_rng([self.seed, epoch])",
        "default_rng(0)", SURVIVAL, "order_of_its_own",
    ),
    fault(
        "finite asked too late", "classify.py", "        learned = [(",
        "        self.optimiser.step()\n        learned = [(", REFUSALS, "not_finite",
    ),
    fault("SIGTERM ignored", "signals.py", ", signal.SIGTERM: 143", "", SURVIVAL, "signal_ends and 143 and step"),
    fault(
        "not asked in evaluation", "classify.py", '"valid", check=check)',
        '"valid")', SURVIVAL, "within_the_evaluation",
    ),
    fault("second interrupt ignored", "signals.py", "if interrupts > 1:", "if False:", SIGNALS, "second_interrupt"),
    fault(
        "not asked between pieces", "processes.py", "if self.world == 1 else",
        "if False else", SIGNALS, "between_pieces",
    ),
    fault("no lock", "run_folder.py", "self._lock.acquire()", "pass", REFUSALS, "two_runs"),
    fault("log not cut", "run_folder.py", "self.write_bytes(LOG,", "len(", SURVIVAL, "done_again"),
    fault(
        "other options taken", "run_folder.py", "if before.get(name) != options.get(name):",
        "if False:", REFUSALS, "not_resumed_with and lr",
    ),
    fault("room not asked for", "engine.py", "if free < needed:", "if False:", REFUSALS, "no_room"),
    fault(
        "a full disk swallowed", "data/new_files.py",
        "    finally:\n        half.unlink(missing_ok=True)\n",
        "    except OSError:\n        return\n", REFUSALS, "full_disk",
    ),
    fault(
        "nothing certified", "classify.py", "check_certificate(found, usual, self.processes.max(limit))",
        "[]", CLASSIFY, "breaks",
    ),
    fault("chosen on test", "classify.py", 'self.evaluate("valid"', 'self.evaluate("test"', CLASSIFY, "looked_at"),
    fault("the end forgotten", "classify.py", 'self.ended = state["ended"]', "pass", CLASSIFY, "stays_ended"),
    fault("draws by themselves", "data/augment.py", "[seed, epoch, trial, DRAWS]", "", AUGMENT, "what_is_drawn"),
    fault(
        "confusions transposed", "evaluation.py", "(confusion, (data.labels, given)",
        "(confusion.T, (data.labels, given)", EVALUATION, "rows_are",
    ),
    fault(
        "one split for ever", "data/spike_data.py", "default_rng([seed, DRAWS])",
        "default_rng(0)", EVALUATION, "each_seed",
    ),
    fault(
        "baseline fitted on test", "evaluation.py", "train.counts()).double(), torch.from_numpy(train.labels)",
        "test.counts()).double(), torch.from_numpy(test.labels)", EVALUATION, "baseline",
    ),
    fault(
        "validated on training", "classify.py", 'self.evaluate("valid", check',
        'self.evaluate("train", check', EVALUATION, "its_own_trials",
    ),
    fault(
        "the last network tested", "classify.py", '.load_state_dict(best["network"])',
        ".eval()", GENERALISATION, "best_average_is_kept",
    ),
    fault("dropout not scaled", "model.py", "1 / (1 - self.dropout)", "1.0", GENERALISATION, "what_is_left"),
    fault(
        "one mask for ever", "model.py", "[seed, step, int(trial), DRAWS]", "[seed, trial]", GENERALISATION, "a_draw",
    ),
    fault(
        "average not evaluated", "classify.py", 'cast("Classifier", self.averaged.module)',
        "self.network", GENERALISATION, "what_is_evaluated",
    ),
    fault(
        "average forgotten", "classify.py", 'self.averaged.load_state_dict(state["average"])',
        "pass", SURVIVAL, KILLED.replace("classification", "everything"),
    ),
    fault("channels not pooled", "classify.py", "pool=settings.pool", "pool=1", SURVIVAL, "each_option and pool"),
    fault(
        "another loss certified", "classify.py", "kept, self.settings.label_smoothing",
        "kept", CLASSIFY, "certified_loss",
    ),
    fault(
        "labels not smoothed", "classify.py", "y, labels, self.settings.label_smoothing",
        "y, labels", SURVIVAL, "each_option and smoothing",
    ),
    fault("first delays not bounded", "model.py", "settings.rec_delay", "1.0", SURVIVAL, "each_option and rec_delay"),
    fault("spikes pushed off", "activity.py", "dR_dt = -strength", "dR_dt = strength", ACTIVITY, "the_pull_is"),
)
SLOW = (  # training in processes without compiled kernels
    fault("a share not weighed", "classify.py", "(share * loss +", "(loss +", PROCESSES, "two_processes"),
    fault("all take all", "data/batches.py", "[self.rank :: self.world]", "", PROCESSES, "two_processes"),
)
QUICK = (*FAULTS, *READINGS)
ALL = (*QUICK, *SLOW)


@pytest.mark.parametrize(("planted", "file", "chosen"), ALL, ids=[str(one[0]) for one in ALL])
def test_fault_is_seen(planted: Fault, file: str, chosen: str, tmp_path: Path) -> None:
    done = outcome(planted, tmp_path, file, chosen, compiled=file != PROCESSES)
    ended = done.returncode == -signal.SIGTERM  # by the uncaught signal
    assert ended or (done.returncode == 1 and " failed" in done.stdout), done.stdout + done.stderr


@pytest.mark.parametrize("file", sorted({file for _, file, _ in QUICK}))
def test_control_without_a_fault_all_of_them_pass(file: str, tmp_path: Path) -> None:
    chosen = " or ".join(f"({chosen})" for _, name, chosen in QUICK if name == file)
    done = outcome(None, tmp_path, file, chosen, compiled=True)
    assert done.returncode == 0, done.stdout + done.stderr
