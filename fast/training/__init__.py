"""Training runs that survive: they are killed, resumed, refused and repeated without losing or changing anything.

Reading order: `run_folder` (the folder of a run, its lock and its log), `checkpoints` (what is kept, whole or not at
all), `stopping` (signals), `finite` (what is not a number stops a run), `engine` (the loop that every task runs in).
"""
