"""`delayprop evaluate RUN`: accuracy and frequent errors of a finished run, split by split.

Where the data have speakers, also the accuracies on known and on new ones. With `--copies`, also
the accuracy of a trial that answers with moved copies of itself; with `--grid`, also the cost of
running the network on hardware with a clock of that step.
"""

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from delayprop.fast.data.augment import Augmentation
from delayprop.fast.drawing.comparison import draw_grids
from delayprop.fast.runs.saved_runs import opened
from delayprop.fast.training.evaluation import Evaluation
from delayprop.fast.training.gridded import OnGrid, columns, lines, on_grids
from delayprop.spec.checks import positive_number, whole_number
from delayprop.spec.command import OneLineParser, run_and_exit
from delayprop.spec.errors import SpecError, Verbatim

SPLITS = ("train", "valid", "test")
CONFUSIONS = 5


def main(argv: Sequence[str] | None = None, prog: str = "python -m fast.evaluate") -> int:
    """The command; returns the exit code (0; 2: no such run, or no data)."""
    parser = OneLineParser(prog, "Evaluate the network of a finished run.")
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a finished run (its --out)")
    what = "splits to evaluate (default: valid test)"
    parser.add_argument("--split", choices=SPLITS, nargs="+", default=["valid", "test"], help=what)
    parser.add_argument("--data", nargs="+", help="the data, as --data of the task (default: the data of the run)")
    what = "also with delays, and spike times, rounded to these steps; draws grid-SPLIT.png in RUN, unless --json"
    parser.add_argument("--grid", type=float, nargs="+", metavar="MS", default=[], help=what)
    what = "with --grid: also with delays of at most so many steps, as on a chip (62 on Loihi 2)"
    parser.add_argument("--max-steps", type=int, metavar="N", help=what)
    what = "also the accuracy of answers from the mean readout of each trial and of N copies, moved as in training"
    parser.add_argument("--copies", type=int, metavar="N", default=0, help=what)
    parser.add_argument("--json", action="store_true", help="print one JSON object, with all confusions and speakers")
    return parser.run_writer(_evaluate, argv)


def _evaluate(options: argparse.Namespace) -> int:
    steps = sorted({positive_number(step, "--grid", "ms") for step in options.grid})
    most = options.max_steps
    if most is not None:
        whole_number(most, "--max-steps", 1, 1_000_000, "name what the chip can hold")
        if not steps:
            raise SpecError("--max-steps", "given with --grid", Verbatim("no --grid"), "name the step of the chip, ms")
    whole_number(options.copies, "--copies", 0, 1000, "give 0 for none")
    training = opened(options.run, options.data)
    if options.copies and training.batches.augmentation.moves == Augmentation():
        remedy = "train with --shift, --spread, --stretch or --move"
        raise SpecError("--copies", "given for a run that moved its trials", Verbatim("one that moved none"), remedy)
    found = {split: training.evaluate(split) for split in options.split}
    of_copies = {split: training.evaluate(split, copies=options.copies) for split in options.split if options.copies}
    trained = training.data["train"].speakers
    grids = {
        split: on_grids(steps, training.network, partial(training.evaluate, split), most) for split in options.split
    }
    if options.json:
        run = {"task": training.task, "network": training.network.name, "seed": training.seed}
        splits = {split: _plain(answers) for split, answers in found.items()}
        for split, entry in splits.items():
            entry["trials_sha256"] = training.data[split].sha256()
            if groups := known_and_new(found[split], trained):
                entry |= {group.replace(" ", "_"): counts for group, counts in groups.items()}
                entry["speakers"] = found[split].speakers
            if split in of_copies:
                entry["copies"] = {"number": options.copies, **_plain(of_copies[split])}
            if steps:
                entry["grid"] = [_plain_grid(one) for one in grids[split]]
        print(json.dumps({"run": run, **splits}))
        return 0
    print(f"{training.task}, {training.network.name}, seed {training.seed}")
    for split, answers in found.items():
        print(f"{split:5}  {_right(answers)}")
        if split in of_copies:
            print(f"       with {options.copies} copies of each trial: {_right(of_copies[split])}")
        for group, (right, trials) in known_and_new(answers, trained).items():
            print(f"       {group}: {right} of {trials} right, {right / trials:.1%}")
        for line in _confused(answers, training.class_names or range(training.data[split].classes)):
            print(f"       {line}")
        if steps:
            print("\n".join(lines(answers, grids[split], most)))
            found_on = [columns(grid, most) for grid in grids[split]]
            accuracies = {name: [one[name].accuracy for one in found_on] for name in found_on[0]}
            picture = draw_grids(options.run, split, answers.accuracy, answers.interval, steps, accuracies)
            print(f"picture: {picture}")
    return 0


def _right(found: Evaluation) -> str:
    low, high = found.interval
    share = f"{found.accuracy:.1%} (95 %: {low:.1%} to {high:.1%})"
    return f"{found.correct} of {found.trials} right, {share}, loss {found.loss:.3f}"


def _plain(found: Evaluation) -> dict:
    return {
        "accuracy": found.accuracy, "interval": found.interval, "loss": found.loss, "answers": found.confusion,
        "wrong": found.wrong,
    }


def _plain_grid(grid: OnGrid) -> dict:
    found = {name: _plain(evaluation) for name, evaluation in grid.found.items()}
    return {"step": grid.step, **found, **({"share_cut": grid.share} if "cut_delays" in found else {})}


def known_and_new(answers: Evaluation, trained: np.ndarray | None) -> dict[str, tuple[int, int]]:
    """Correct trials and trials of known and of new speakers, where there are such trials."""
    known = set() if trained is None else set(trained.tolist())
    found = dict[str, tuple[int, int]]()
    for speaker, (right, trials) in answers.speakers.items():
        group = "known speakers" if speaker in known else "new speakers"
        before = found.get(group, (0, 0))
        found[group] = before[0] + right, before[1] + trials
    return found


def _confused(answers: Evaluation, names: Sequence[str] | range) -> list[str]:
    """A line for each of the most frequent wrong answers."""
    table, answered = answers.confusion, [*names, "nothing"]
    cells = [(count, label, answer) for label, row in enumerate(table) for answer, count in enumerate(row)]
    wrong = [cell for cell in cells if cell[0] and cell[1] != cell[2]]
    return [
        f"class {names[label]}: {count} of {sum(table[label])} answered {answered[answer]}"
        for count, label, answer in sorted(wrong, key=lambda cell: -cell[0])[:CONFUSIONS]
    ]


if __name__ == "__main__":
    run_and_exit(main)
