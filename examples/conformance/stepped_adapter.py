"""EventProp on a time grid, as published implementations compute it.

    python stepped_adapter.py [--dt 1] CASE.json

System: `benchmarks/grid/stepped.py` of this repository, modelled on mlGeNN's compiler: exponential
steps, spikes at the ends of steps, delays rounded to whole steps, and the adjoint stepped back,
with a gradient of the delays.

Offers: every case whose duration is a whole number of steps; gradients of weights and delays.

Settings: float64; `--dt`. As published implementations, it lacks the term of maxima that move with
an arrival.

Conventions: ours, since it takes and returns the types of `spec`.

Left out: gradients of constants and input times, which it does not compute. This file is the
template for a Python simulator that shares an environment with `spec`; the others read the case
file themselves.
"""

import argparse
import json
import sys

from benchmarks.grid.stepped import run
from delayprop.spec import SpecError, load_case


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dt", type=float, default=1.0, metavar="MS")
    parser.add_argument("case")
    options = parser.parse_args()
    case = load_case(options.case)
    try:
        found = run(case, options.dt)
    except SpecError as error:  # the case is legal, so the grid does not fit it
        print(error, file=sys.stderr)
        return 5
    print(json.dumps(found.to_dict(case.network), allow_nan=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
