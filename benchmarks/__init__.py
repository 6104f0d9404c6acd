"""How fast `fast` is, measured only where it is right.

    python -m benchmarks.speed --workload shd-like
    python -m benchmarks.scaling --what arrivals --quick

Reading order: `sizes` (what can be asked for), `networks` and `workloads` (what is run), `step` (one training step,
timed), `arrivals` (the unit of work), `correctness`, `precision` and `without_kernels` (is it right), `memory`, `yardstick` and `roofline` (what
it is held against), `machine`, `speed` and `scaling` (command lines), `drawing`.
"""
