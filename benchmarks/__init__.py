"""The speed of `fast`, measured only where its results are right.

    python -m benchmarks.speed --workload shd-like

Reading order: `sizes` (the options), `workloads` (the networks that run, and the unit of work),
`step` (one training step, timed), `correctness` (the checks), `yardstick` (the comparison), `speed`
(the command line).
"""
