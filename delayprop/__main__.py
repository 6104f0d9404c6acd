"""The command `delayprop COMMAND ...`, also `python -m delayprop COMMAND ...`."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from delayprop import __version__
from delayprop.spec.command import OneLineParser, guarded, report, run_and_exit

Main = Callable[[Sequence[str], str], int]
COMMANDS = {
    "train": "train a network on a task",
    "run": "print the spikes, the loss and the exact gradients of a case",
    "evaluate": "print the accuracy of a finished run, split by split",
    "compare": "put runs side by side, with intervals over seeds; train them first, if asked",
    "export": "write the network of a finished run as a case file or for NIR",
    "compile": "compile the kernels of some networks before a run needs them",
    "derivations": "prove the gradients, also those of a neuron of your own",
    "conformance": "grade a simulator against cases with known results",
    "reproduce": "list the experiments of the paper with their results, or run one",
    "report": "draw the pictures of a run again; without a run, make the verification report",
}
OUTSIDE_FAST = {"conformance": "spec.conformance.__main__", "derivations": "derivations.__main__"}
ROOT = Path(__file__).resolve().parents[1]


def main(argv: Sequence[str] | None = None, prog: str = "delayprop") -> int:
    """Run the command that the first word names; returns its exit code. `argv`: the words after
    `prog`, which the user typed before them; None: those of the command line."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in COMMANDS:
        name = f"{prog} {words[0]}"
        return guarded(name, lambda: command(words[0])(words[1:], name))  # its import may refuse DELAYPROP_CACHE
    parser = OneLineParser(prog, "Exact gradients of weights and delays in spiking networks.")
    parser.add_argument("--version", action="version", version=f"delayprop {__version__}")
    parser.add_argument("command", metavar="COMMAND", choices=tuple(COMMANDS), help="one of the commands below")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    lines = [f"  {name:12}  {text}" for name, text in COMMANDS.items()]
    parser.epilog = "\n".join(["commands, each with its own --help:", *lines])
    return parser.run(lambda _: parser.error("the first word must be a command"), words)


def command(name: str) -> Main:
    """The `main` of a command. Only this command is imported: `run --help` needs no task."""
    if name in CHECKOUT:
        return CHECKOUT[name]
    found: Main = import_module(f"delayprop.{OUTSIDE_FAST.get(name, f'fast.{name}')}").main
    return found


def report_command(argv: Sequence[str], prog: str) -> int:
    """Draw a run. In a checkout, make the verification report too; no wheel holds its packages."""
    if (ROOT / "reports" / "derivation.py").exists():
        sys.path.insert(0, str(ROOT))  # before a user's own `reports`
        from reports.__main__ import main
    else:
        from delayprop.fast.drawing.__main__ import main

        if all(word.startswith("-") for word in argv) and not {"-h", "--help"} & {*argv}:
            remedy = "name a finished run, or clone the project: the verification report needs its tests"
            return report(prog, f"`RUN` must be given outside a checkout of delayprop, got nothing; {remedy}")
    return main(argv, prog)


def reproduce_command(argv: Sequence[str], prog: str) -> int:
    """List or run the experiments of the paper, in a checkout: no wheel holds their records."""
    if not (ROOT / "results" / "paper.toml").exists():
        remedy = "clone the project: its `results/` has the experiments"
        return report(prog, f"`{prog}` must be called in a checkout of delayprop, got an installed one; {remedy}")
    sys.path.insert(0, str(ROOT))
    from results.reproduce import main

    return main(argv, prog)


CHECKOUT: dict[str, Main] = {"report": report_command, "reproduce": reproduce_command}


def script() -> NoReturn:
    """The entry point of the console command."""
    run_and_exit(main)


if __name__ == "__main__":
    run_and_exit(lambda: main(prog="python -m delayprop"))
