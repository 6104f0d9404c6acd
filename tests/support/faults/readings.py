"""Faults in numbers that a person reads: of an epoch, a run, a report, a benchmark; and in draws.

Each is a slip of a programmer: the last value for the smallest, the mean for the median, one
constant or one draw for several; a wrong unit, group, pair or side. The tests beside it find it.
"""

from tests.support.faults.catalogue import Fault

MEASURED = "benchmarks/test_measured_numbers.py"
REGRESS = "benchmarks/test_regress.py"
BASELINES = "benchmarks/test_baselines.py"
AUGMENT = "data/test_augment.py"
DROPOUT = "training/test_generalisation.py"
ACTIVITY = "training/test_activity.py"
EVALUATION = "training/test_evaluation.py"
PROGRESS = "training/test_progress.py"
COMPARE = "training/test_compare.py"
RESULTS = "results/test_command.py"
DISTANCES = "reports/test_distances.py"
PAGE = "reports/test_verification.py"

READINGS = (
    (
        Fault(
            "channels cut off", "fast", "data/augment.py", "np.rint(mean + factor * (units - mean))",
            "(mean + factor * (units - mean))",
        ),
        AUGMENT, "a_spread",
    ),
    (
        Fault("two trials, one draw", "fast", "data/augment.py", "epoch, trial, DRAWS", "epoch, trial // 2, DRAWS"),
        AUGMENT, "what_is_drawn",
    ),
    (
        Fault("channels in 8 bits", "fast", "data/spike_data.py", "np.min_scalar_type(channels)", "np.uint8"),
        AUGMENT, "become_one",
    ),
    (
        Fault(
            "two steps, one mask", "fast", "training/model.py", "[seed, step, int(trial)",
            "[seed, step // 2, int(trial)",
        ),
        DROPOUT, "a_draw",
    ),
    (
        Fault(
            "one tau_mem for all", "fast", "training/activity.py", "layer.tau_mem.double()[neuron]",
            "layer.tau_mem.double().mean()",
        ),
        ACTIVITY, "the_pull_is",
    ),
    (
        Fault(
            "trials of one process", "fast", "training/activity.py", "-strength / sums[-1]",
            "-strength / len(counts)",
        ),
        ACTIVITY, "processes",
    ),
    (
        Fault(
            "tau of the last layer", "fast", "training/gradient_checks.py", "duration / min(taus)",
            "duration / taus[-1]",
        ),
        DROPOUT, "shortest",
    ),
    (
        Fault(
            "loss of a full batch", "fast", "training/evaluation.py", "labels.to(device))) * len(own)",
            "labels.to(device))) * batch",
        ),
        EVALUATION, "rows_are",
    ),
    (
        Fault("kappa of the last step", "fast", "training/epoch.py", "min(self.kappa_min, kappa_min)", "kappa_min"),
        PROGRESS, "the_line",
    ),
    (
        Fault(
            "residual of the last step", "fast", "training/epoch.py", "max(residual, self.residuals[name] or 0.0)",
            "residual",
        ),
        PROGRESS, "the_line",
    ),
    (
        Fault("spikes of the last step", "fast", "training/epoch.py", "self.fired + fired", "fired"),
        PROGRESS, "the_line",
    ),
    (
        Fault("norm per trial", "fast", "training/epoch.py", "{name: total / steps for", "{name: total / trials for"),
        PROGRESS, "the_line",
    ),
    (
        Fault(
            "pairs by rank", "fast", "compare.py", "pairs = [other.test[other.seeds.index(seed)] -",
            "pairs = [sorted(other.test)[seeds.index(seed)] -",
        ),
        COMPARE, "one_seed",
    ),
    (
        Fault(
            "accuracy of the last epoch", "results", "__main__.py", 'best["train_accuracy"]',
            'log[-1]["train_accuracy"]',
        ),
        RESULTS, "was_kept",
    ),
    (
        Fault("control on the wrong side", "reports", "distances.py", "one.missed or one.fault <= 1", "one.missed"),
        DISTANCES, "wrong_side",
    ),
    (
        Fault("limit of the check", "reports", "distances.py", 'check["fault_limit"])', 'check["limit"])'),
        DISTANCES, "control_right",
    ),
    (
        Fault(
            "columns in another order", "reports", "overview.py", 'entry["found"][name]',
            'list(entry["found"].values())[x]',
        ),
        DISTANCES, "column",
    ),
    (
        Fault(
            "headroom of a red check", "reports", "templates/cards.html",
            'check.headroom and check.status == "green"', "check.headroom",
        ),
        PAGE, "did_not_run_show",
    ),
    (
        Fault(
            "every control passed", "reports", "templates/cards.html", 'check.caught ~ " of', 'check.controls ~ " of',
        ),
        PAGE, "did_not_run_show",
    ),
    (
        Fault(
            "accuracy on its own grid", "reports", "templates/grid_accuracies.html", "way.on_exact.mean",
            "way.on_grid.mean",
        ),
        PAGE, "cost_of_a_grid",
    ),
    (
        Fault("mean of ratios", "benchmarks", "regress.py", "step = statistics.median(", "step = statistics.mean("),
        REGRESS, "median",
    ),
    (
        Fault(
            "here and BASE exchanged", "benchmarks", "regress.py", "min(map(sum, now)), min(map(sum, before))",
            "min(map(sum, before)), min(map(sum, now))",
        ),
        REGRESS, "median",
    ),
    (
        Fault("mean of steps", "benchmarks", "step.py", "statistics.median(column)", "statistics.mean(column)"),
        MEASURED, "median",
    ),
    (
        Fault(
            "grid not scaled", "benchmarks", "yardstick.py", '"seconds": found.step * scale',
            '"seconds": found.step',
        ),
        MEASURED, "scaled",
    ),
    (Fault("kB of 1000 bytes", "benchmarks", "memory.py", "return 1024 *", "return 1000 *"), MEASURED, "units"),
    (
        Fault(
            "known speakers are new", "benchmarks", "baselines.py", '("known_speakers", known)',
            '("known_speakers", ~known)',
        ),
        BASELINES, "speakers_named",
    ),
    (
        Fault(
            "right answers of all epochs", "benchmarks", "baselines.py", "        right = 0\n        for n in",
            "        for n in",
        ),
        BASELINES, "speakers_named",
    ),
)
"""Each with the file of its tests, and the words that select them."""
