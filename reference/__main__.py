"""`python -m reference CASE.json`: the exact result of a case, as one JSON object."""

from collections.abc import Sequence

from delayprop.reference.run import run
from delayprop.spec.command import OneLineParser, run_and_exit, run_case_command


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; exit code 0, 2: bad input, 3: a result that is not finite."""
    what = "Simulate a case event by event and print its exact gradient as JSON."
    parser = OneLineParser("python -m reference", what)
    parser.add_argument("--digits", type=int, help="compute with this number of digits; print float64")
    return run_case_command(parser, lambda case, options: run(case, options.digits), argv)


if __name__ == "__main__":
    run_and_exit(main)
