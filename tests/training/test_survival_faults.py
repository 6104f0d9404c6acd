"""Faults of training code and its data, most of them reported elsewhere, and of printed numbers.

A number is wrong by the slip of a programmer: the mean for the median, one draw for several, a
wrong unit, group, pair or side. Each fault, planted, turns a test red; so does each way to hide a
NaN that training code elsewhere has.
"""

import signal
from pathlib import Path

import pytest

from tests.support.faults.planting import Fault, outcome

pytestmark = pytest.mark.release

PROCESSES = "training/test_processes.py"  # slow: training in processes without compiled kernels
HIDDEN = "fast/test_nan_shows.py"
DAMAGE, READER = "data/test_spike_files_damage.py", "data/spike_files.py"
CLASSIFY, RECORDS = "training/classify.py", "data/records.py"
OTHERS = ("benchmarks", "reports", "results")
SPIKES, READ = "one and layer and float64", "max_voltage and float64"
KILLED = "ends_in_the_same_bits and classification and before and 7"


def without_nan(text: str) -> str:
    """An expression with 0 in place of NaN and infinity."""
    return f"torch.where(torch.isfinite({text}), {text}, 0.0)"


PLANTED: dict[str, list[tuple[str, str, str, str, str]]] = {
    "training/test_checkpoints.py": [
        ("no fsync", "data/new_files.py", "            os.fsync(file.fileno())\n", "", "order"),
        ("folder not synced", "data/new_files.py", "        os.fsync(folder)", "        pass", "order"),
        ("in place", "data/new_files.py", 'path.with_name(f".{path.name}{HALF}")', "path", "order"),
        ("no checksum", "data/seals.py", ".hexdigest() != digest:", ".hexdigest() == 0:", "skipped_by_name"),
        ("one kept", "training/checkpoints.py", "KEPT = 2", "KEPT = 1", "what_stays and last"),
        ("pickle", "training/checkpoints.py", "weights_only=True", "weights_only=False", "nothing_in_a_file"),
        ("half stays", "training/checkpoints.py", "            path.unlink()", "            pass", "written"),
        ("all half removed", "training/checkpoints.py", 'f".*{HALF}"', '".*"', "written"),
    ],
    "training/test_records.py": [
        ("seal not checked", RECORDS, "    if wrong:\n", "    if False:\n", "changed_file and flipped and page"),
        ("one file not sealed", RECORDS, "FILES = (OPTIONS, LOG, ", "FILES = (OPTIONS, ", "changed_file and cut"),
        ("seal forgotten", "training/run_folder.py", "self._sealed = check_seal(", "check_seal(", "kill_between"),
        ("seal left", "training/run_folder.py", "remove_now(self.path / SEAL)", "pass", "kill_between"),
        ("no warning", RECORDS, "file=sys.stderr", "file=sys.stdout", "without_a_seal"),
    ],
    "training/test_survival.py": [
        ("optimiser forgotten", CLASSIFY,
         'self.optimiser.load_state_dict(state["optimiser"])', "pass", KILLED),
        ("best forgotten", CLASSIFY, 'state["best"], Epoch(', "self.best, Epoch(", KILLED),
        ("sums forgotten", CLASSIFY, 'Epoch(**state["epoch"])', "Epoch()", KILLED),
        ("SIGTERM ignored", "training/signals.py", ", signal.SIGTERM: 143", "", "same_bits and SIGTERM and step"),
        ("not asked in evaluation", CLASSIFY, '"valid", check=check', '"valid"', "same_bits and validation"),
        ("log not cut", "training/run_folder.py", "self.write_bytes(LOG,", "len(", "same_bits and late"),
        ("average forgotten", CLASSIFY, 'self.averaged.load_state_dict(state["average"])', "pass",
         KILLED.replace("classification", "everything")),
        ("channels not pooled", CLASSIFY, "pool=settings.pool", "pool=1", "each_option and pool"),
        ("labels not smoothed", CLASSIFY, "y, labels, self.settings.label_smoothing", "y, labels",
         "each_option and smoothing"),
        ("first delays not bounded", "training/model.py", "settings.rec_delay", "1.0", "each_option and rec_delay"),
        ("second interrupt ignored", "training/signals.py", "if interrupts > 1:", "if False:", "second_interrupt"),
        ("not asked between pieces", "training/processes.py", "self.world == 1 else", "False else", "between_pieces"),
        ("finite asked too late", CLASSIFY, "        learned = [(",
         "        self.optimiser.step()\n        learned = [(", "not_finite"),
        ("room not asked for", "training/engine.py", "if free < needed:", "if False:", "no_room"),
        ("a full disk swallowed", "data/new_files.py", "    finally:\n        half.unlink(missing_ok=True)\n",
         "    except OSError:\n        return\n", "full_disk"),
    ],
    "training/test_training_refusals.py": [
        ("no lock", "training/run_folder.py", "self._lock.acquire()", "pass", "two_runs_never_work"),
        ("other options taken", "training/run_folder.py", "if before.get(name) != options.get(name):", "if False:",
         "own_options_alone"),
    ],
    "training/test_classify.py": [
        ("one order for ever", "data/batches.py", "[self.seed, epoch]", "0", "each_seed"),
        ("the last network tested", CLASSIFY, '.load_state_dict(best["network"])', ".eval()", "network_that_is_kept"),
        ("nothing certified", CLASSIFY, "check_certificate(identities, usual, self.processes.max(limit))", "[]",
         "breaks"),
        ("chosen on test", CLASSIFY, 'self.evaluate("valid"', 'self.evaluate("test"', "looked_at"),
        ("the end forgotten", CLASSIFY, 'self.ended = state["ended"]', "pass", "stays_ended"),
        ("another loss certified", CLASSIFY, "kept, self.settings.label_smoothing", "kept", "certified_loss"),
        ("average not evaluated", CLASSIFY, 'cast("Classifier", self.averaged.module)', "self.network",
         "what_is_evaluated"),
    ],
    "data/test_augment.py": [
        ("draws by themselves", "data/augment.py", "[seed, epoch, trial, DRAWS]", "", "what_is_drawn"),
        ("channels cut off", "data/augment.py", "np.rint(", "(", "a_spread"),
        ("two trials, one draw", "data/augment.py", "epoch, trial, DRAWS", "epoch, trial // 2, DRAWS", "what_is_drawn"),
        ("channels in 8 bits", "data/spike_data.py", "np.min_scalar_type(channels)", "np.uint8", "become_one"),
    ],
    DAMAGE: [
        ("any trouble of a reader", READER, "except Exception as", "except EOFError as", "a page of the server"),
        ("a name that is missing", READER, "except SpecError:", "except EOFError:", "other names"),
        ("numbers of records", READER, "len(set(lengths.values())) > 1", "False", "more labels than trials"),
        ("no record", READER, "or not len(labels):", "or False:", "no trial at all"),
        ("which record it is", READER, '{path.name} record {n}"', '{path.name} record 0"', "an infinite time"),
        ("which file it is", READER, 'name = f"{path.name} ', 'name = f"the file\'s ', "an infinite time"),
        ("units are whole numbers", READER, '"iu", "whole', '"fiu", "whole', "units that are no whole numbers"),
        ("rows of one dimension", "data/collating.py", "row.ndim != 1", "row.ndim == 0", "rows of two dimensions"),
        *((name, "data/spike_data.py", text, wrong, of) for name, text, wrong, of in (
            ("a unit for each time", "if len(times) != len(units):", "if False:", "a time too many"),
            ("labels are numbers", "if not isinstance(label, np.integer):", "if False:", "two labels a trial"),
            ("finite times", "if not np.isfinite(times).all():", "if False:", "a NaN in front"),
            ("times before 0", "times.min() < 0 or", "False or", "a time below 0"),
            ("times after the trial", "or times.max() > duration", "or False", "times in ms, in one record"),
            ("order", "if (np.diff(times) < 0).any():", "if False:", "the last two times exchanged"),
            ("units below 0", "not (0 <= units.min() and", "not (True and", "a unit below 0"),
            ("units too large", "and units.max() < channels)", "and True)", "a unit beyond 64 bits"),
            ("labels out of range", "if not 0 <= label < classes:", "if False:", "a label too large"),
        )),
    ],
    "training/test_evaluation.py": [
        ("confusions transposed", "training/evaluation.py", "(confusion, (", "(confusion.T, (", "rows_are"),
        ("one split for ever", "data/spike_data.py", "default_rng([seed, DRAWS])", "default_rng(0)", "each_seed"),
        ("baseline fitted on test", "training/evaluation.py",
         "train.counts()).double(), torch.from_numpy(train.labels)",
         "test.counts()).double(), torch.from_numpy(test.labels)", "baseline"),
        ("validated on training", CLASSIFY, '("valid", check', '("train", check', "its_own_trials"),
        ("loss of a full batch", "training/evaluation.py", "* len(own)", "* batch", "rows_are"),
    ],
    "training/test_epoch.py": [
        ("kappa of the last step", "training/epoch.py", "min(self.kappa_min, kappa_min)", "kappa_min", "the_line"),
        ("residual of the last step", "training/epoch.py", "max(residual, self.residuals.get(name) or 0.0)", "residual",
         "the_line"),
        ("spikes of the last step", "training/epoch.py", "self.fired + fired", "fired", "the_line"),
        ("norm per trial", "training/epoch.py", "{name: total / steps for", "{name: total / trials for", "the_line"),
    ],
    "training/test_model.py": [
        ("dropout not scaled", "training/model.py", "1 / (1 - self.dropout)", "1.0", "what_is_left"),
        ("one mask for ever", "training/model.py", "[seed, step, int(trial), DRAWS]", "[seed, trial]", "a_draw"),
        ("two steps, one mask", "training/model.py", "[seed, step, int", "[seed, step // 2, int", "a_draw"),
        ("tau of the last layer", "training/gradient_checks.py", "fastest for layer in network.layers)",
         "fastest for layer in network.layers[-1:])", "shortest"),
    ],
    "training/test_activity.py": [
        ("spikes pushed off", "training/activity.py", "dR_dt = -strength", "dR_dt = strength", "the_pull_is"),
        ("one tau_mem for all", "training/activity.py", "to(counts.device)[neuron]", "to(counts.device).mean()",
         "the_pull_is"),
        ("trials of one process", "training/activity.py", "strength / sums[-1]", "strength / len(counts)", "processes"),
    ],
    PROCESSES: [
        ("a share not weighed", CLASSIFY, "(share * loss +", "(loss +", "two_processes_learn"),
        ("all take all", "data/batches.py", "[self.rank :: self.world]", "", "two_processes_learn"),
    ],
    HIDDEN: [
        ("of spike times, at the door", "nn/autograd.py", "dL_dt_post, dL_dy.double(), want",
         f"{without_nan('dL_dt_post')}, dL_dy.double(), want", SPIKES),
        ("of readouts, at the door", "nn/autograd.py", "dL_dt_post, dL_dy.double()",
         f"dL_dt_post, {without_nan('dL_dy.double()')}", READ),
        ("of weights", "solving/solved.py", "(t_in, dL_dw,", f"(t_in, {without_nan('dL_dw')},", SPIKES),
        ("of delays", "solving/solved.py", ", dL_dw, dL_dd /", f", dL_dw, {without_nan('dL_dd')} /", SPIKES),
        ("of input times", "solving/solved.py", "index_copy_(0, self.order, dL_dt_pre / width)",
         f"index_copy_(0, self.order, {without_nan('dL_dt_pre')} / width)", SPIKES),
        ("at the threshold", "physics/jump.py", "    q = moved * (1.0 / level_of(dV, dO, lane, constants, others))\n",
         "    q = moved * (1.0 / level_of(dV, dO, lane, constants, others))\n"
         "    q = q if abs(q) < 1e300 else 0.0\n", SPIKES),
        *(("taken for a mark", "physics/own_events.py", "b.other[:, lane] = math.nan", "b.other[:, lane] = 0.0", of)
          for of in (READ, "recurrent and float64")),
        ("marked arrivals left out", "physics/own_events.py",
         "    b.piece[source, LANES + lane] += of_I\n    if not want_dt:\n",
         "    b.piece[source, LANES + lane] += of_I\n"
         "    for k in (lane, LANES + lane):\n"
         "        b.piece[source, k] = b.piece[source, k] if b.piece[source, k] == b.piece[source, k] else 0.0\n"
         "    if not want_dt:\n", SPIKES),
        ("a batch left out", "nn/autograd_guards.py", "        return backward(of, *tensors[:number])",
         "        whole = all(bool(torch.isfinite(one).all()) for one in tensors[:number])\n"
         "        return backward(of, *(one if whole else 0 * torch.ones_like(one) for one in tensors[:number]))",
         "three and float64"),
    ],
    "training/test_compare.py": [
        ("pairs by rank", "compare.py", "[other.runs[seed].test - first",
         "[sorted(other.test)[[*other.runs].index(seed)] - first", "one_seed"),
    ],
    "results/test_command.py": [
        ("accuracy of the last epoch", "__main__.py", 'best["train_acc', 'log[-1]["train_acc', "kept_epoch"),
    ],
    "reports/test_distances.py": [
        ("control on the wrong side", "distances.py", "one.missed or one.fault <= 1", "one.missed", "wrong_side"),
        ("limit of the check", "distances.py", 'check["fault_limit"])', 'check["limit"])', "control_right"),
        ("columns in another order", "figures.py", 'entry["found"][name', 'list(entry["found"].values())[x', "column"),
    ],
    "reports/test_verification.py": [
        ("headroom of a red check", "templates/cards.html", ' and check.status == "green"', "", "did_not_run_show"),
        ("every control passed", "templates/cards.html", "check.caught", "check.controls", "did_not_run_show"),
        ("accuracy on its own grid", "templates/grid_accuracies.html", "exact.mean", "grid.mean", "cost_of_a_grid"),
    ],
    "benchmarks/test_regress.py": [
        ("mean of ratios", "regress.py", "step = statistics.median(", "step = statistics.mean(", "median"),
        ("here and BASE exchanged", "regress.py", "now)), min(map(sum, before", "before)), min(map(sum, now", "median"),
    ],
    "benchmarks/test_measured_numbers.py": [
        ("mean of steps", "step.py", "map(statistics.median,", "map(statistics.mean,", "median"),
        ("grid not scaled", "yardstick.py", '"seconds": found.step * scale', '"seconds": found.step', "scaled"),
    ],
    "benchmarks/test_baselines.py": [
        ("known speakers are new", "baselines.py", '", known)', '", ~known)', "speakers_named"),
        ("right answers of all epochs", "baselines.py", "        right = 0\n", "", "speakers_named"),
    ],
}
"""By file of tests: a fault, its file, the text before and after, and tests that must see it: an
expression for `-k`, or for `DAMAGE` the whole id of the one test.

A fault is in the package of its room of tests, if it has one, or else in `fast`.
"""
FAULTS = [
    (Fault(name, room if (room := tests.split("/")[0]) in OTHERS else "fast", file, text, wrong), tests,
     " and ".join(f"[{chosen}]".replace(",", "").split()) if tests == DAMAGE else chosen)
    for tests, faults in PLANTED.items() for name, file, text, wrong, chosen in faults
]


@pytest.mark.parametrize(("planted", "file", "chosen"), FAULTS, ids=[str(one[0]) for one in FAULTS])
def test_fault_is_seen(planted: Fault, file: str, chosen: str, tmp_path: Path) -> None:
    done = outcome(planted, tmp_path, file, chosen, compiled=file not in (PROCESSES, HIDDEN))
    ended = done.returncode == -signal.SIGTERM  # by the uncaught signal
    words = " came out of " if file == HIDDEN else " failed"
    assert ended or (done.returncode == 1 and words in done.stdout), done.stdout + done.stderr


@pytest.mark.parametrize("file", sorted({file for _, file, _ in FAULTS} - {PROCESSES}))
def test_control_without_a_fault_all_of_them_pass(file: str, tmp_path: Path) -> None:
    chosen = " or ".join(f"({chosen})" for _, name, chosen in FAULTS if name == file)
    done = outcome(None, tmp_path, file, chosen, compiled=file != HIDDEN)
    assert done.returncode == 0, done.stdout + done.stderr
    one_each = len({chosen for _, name, chosen in FAULTS if name == DAMAGE})
    assert file != DAMAGE or f"{one_each} passed, " in done.stdout, done.stdout
