"""`python -m fast.drawing RUN`: draws the pictures of a run again."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from delayprop.fast.data.records import TEXT, RecordError, record
from delayprop.fast.drawing import classification, sequence
from delayprop.spec.command import BAD_INPUT, OneLineParser, report, run_and_exit


def draw(run: Path) -> list[str]:
    """Draws the pictures of a finished run, by its task; returns their paths."""
    found = record(run, "result.json", {"task": TEXT})
    kind = sequence if found["task"] == "sequence" else classification
    return kind.draw(run)


def main(argv: Sequence[str] | None = None, prog: str = "python -m fast.drawing") -> int:
    """The command; returns the exit code (0; 2: no such run, or no picture can be written)."""
    parser = OneLineParser(prog, "Draw the pictures of a training run again, from its records.")
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a finished run")

    def body(options: argparse.Namespace) -> int:
        try:
            drawn = draw(options.run)
        except OSError as error:  # a record that cannot be read is a RecordError
            reason = f"{error.strerror or error}: {options.run}"
            return report(prog, f"`RUN` must be a folder with room for pictures, got {reason}; make room")
        print("\n".join(drawn))
        return 0

    return parser.run(body, argv, {RecordError: BAD_INPUT})


if __name__ == "__main__":
    run_and_exit(main)
