"""`python -m fast.drawing RUN`: draws the pictures of a run again."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from delayprop.fast.data.records import Record, RecordError, of_this_version
from delayprop.fast.drawing import classification, sequence, synapses
from delayprop.fast.drawing.run_record import read
from delayprop.fast.drawing.style import save
from delayprop.spec.command import OneLineParser, report, run_and_exit

DELAYS = "draw alone the delays before and after training, into this file (.png, .svg or .pdf)"


def draw(run: Path) -> list[str]:
    """Draws the pictures of a finished run, by its task; returns their paths."""
    record = Record(run)
    with of_this_version(run):
        kind = sequence if record.result["task"] == "sequence" else classification
        return kind.draw(record)


def draw_delays(run: Path, picture: Path) -> list[str]:
    """Draws the delays of a classification, before and after training, into a file."""
    if picture.suffix not in (".png", ".svg", ".pdf"):
        raise RecordError("--delays", "a file that ends in .png, .svg or .pdf", picture, "name it so")
    record = Record(run)
    with of_this_version(run):
        if record.result["task"] == "sequence":
            remedy = "it has its delays in delays.png"
            raise RecordError("RUN", "the run of a task that classifies", "sequence", remedy)
        return [save(synapses.learned_delays(read(record).page), picture.parent, picture.name)]


def main(argv: Sequence[str] | None = None, prog: str = "python -m fast.drawing") -> int:
    """The command; returns the exit code (0; 2: no such run, or no picture can be written)."""
    parser = OneLineParser(prog, "Draw the pictures of a training run again, from its records.")
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a finished run")
    parser.add_argument("--delays", metavar="FILE", type=Path, help=DELAYS)

    def body(options: argparse.Namespace) -> int:
        name, folder = ("RUN", options.run) if options.delays is None else ("--delays", options.delays.parent)
        try:
            drawn = draw(options.run) if options.delays is None else draw_delays(options.run, options.delays)
        except OSError as error:  # a record that cannot be read is a RecordError
            where = "a folder" if options.delays is None else "in a folder"
            reason = f"{error.strerror or error}: {folder}"
            return report(prog, f"`{name}` must be {where} with room for pictures, got {reason}; make room")
        print("\n".join(drawn))
        return 0

    return parser.run(body, argv)


if __name__ == "__main__":
    run_and_exit(main)
