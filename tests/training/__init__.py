"""Tasks and runs: survival, checkpoints, processes, settings."""
