"""The benchmarks and the study of time grids."""
