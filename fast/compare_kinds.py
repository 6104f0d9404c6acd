"""`delayprop compare --train learned drawn none --task TASK ...`: do learned delays pay?

Trains a network with each kind of delays and each seed, all other options alike, and compares the
runs. A second call goes on where the first one ended.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from delayprop.fast.drawing.comparison import check_picture
from delayprop.fast.nn.synaptic_layer import LEAST_RECURRENT_DELAY
from delayprop.fast.tasks.options import is_given, job_of, parser_of, task_and_preset
from delayprop.fast.tasks.registry import CLASSIFYING
from delayprop.fast.train import ENDED
from delayprop.fast.train import main as train
from delayprop.fast.training.settings import kind_of_delays
from delayprop.spec.checks import one_of, whole_number
from delayprop.spec.command import OneLineParser, guarded
from delayprop.spec.errors import SpecError, Verbatim

OPTION = "--train"
KINDS = {"learned": "learned", "drawn": "as drawn", "none": "none"}  # as `kind_of_delays` names them
REFUSED = {
    "--seed": "give --seeds", "--resume": "a run goes on by itself", "--no-test": "test accuracies are compared",
    "--leave-one-speaker-out": "hold speakers out with --valid-speakers",
}
"""Options of `train` that have no place here, and what to do instead."""


def compare_kinds(words: Sequence[str], prog: str, compare: Callable[[list[str]], int]) -> int:
    """The command line with `--train`; `compare`: the command line of finished runs.

    Returns:
        The exit code: of `compare`, or of a training that did not end.
    """
    about = "Train networks with these kinds of delays, and compare them. It also takes the options of `train`"
    parser = OneLineParser(f"{prog} {OPTION}", f"{about}, which `delayprop train --task TASK --help` lists.")
    add = parser.add_argument
    what = "kinds of delays: learned, as drawn at the start, or none; the others are compared with the first"
    add(OPTION, dest="kinds", nargs="+", choices=tuple(KINDS), required=True, help=what)
    what = "a run of each kind per seed; one process per core may take some (default: 0 1 2)"
    add("--seeds", type=int, nargs="+", metavar="N", default=[0, 1, 2], help=what)
    what = "folder of the runs, KIND/seed-N in it (default: %(default)s)"
    add("--out", type=Path, default=Path("runs/compared"), help=what)
    add("--picture", metavar="FILE", type=Path, help="also draw the test accuracies into this file")
    if {"-h", "--help"} & {*words}:
        parser.print_help()
        return 0
    return guarded(parser.prog, lambda: _compare(*parser.parse_known_args(words), prog, compare))


def _compare(
    own: argparse.Namespace, others: list[str], prog: str, compare: Callable[[list[str]], int]
) -> int:
    check_picture(own.picture)
    kinds = {kind: _options(kind, others, prog) for kind in own.kinds}
    seeds = [whole_number(seed, "--seeds", 0, 2**63 - 1, "give seeds") for seed in dict.fromkeys(own.seeds)]
    for seed in seeds:
        for kind, options in kinds.items():
            folder = own.out / kind / f"seed-{seed}"
            print(f"{kind}, seed {seed}: {folder}", flush=True)
            of_run = ["--seed", str(seed), "--out", str(folder), "--resume"]
            if (code := train([*others, *options, *of_run], prog)) not in ENDED:
                return code
    runs = [str(own.out / kind / f"seed-{seed}") for kind in kinds for seed in seeds]
    return compare([*runs, *([] if own.picture is None else ["--picture", str(own.picture), "--names", *kinds])])


def _options(kind: str, others: list[str], prog: str) -> list[str]:
    """The options that make a kind of delays, beside others that leave it to them."""
    task, preset = task_and_preset(others)
    one_of(task, "--task", tuple(CLASSIFYING))
    for option, remedy in REFUSED.items():
        if is_given(option, others):
            raise SpecError(option, f"left out with {OPTION}", Verbatim("both"), remedy)
    parser = parser_of(prog, task, preset)
    more = {"learned": [], "drawn": ["--freeze-delays"], "none": ["--freeze-delays", "--delay", "0"]}[kind]
    if kind == "none" and parser.parse_args(others).recurrent:
        more += ["--rec-delay", str(LEAST_RECURRENT_DELAY)]
    settings = job_of(vars(parser.parse_args([*others, *more])), parser).settings
    found = kind_of_delays(vars(settings)).partition(",")[0]
    if found != KINDS[kind]:
        expected = f"given with options that leave the delays to {kind}"
        raise SpecError(OPTION, expected, Verbatim(f"delays {found}"), "leave out what freezes or sets them")
    return more
