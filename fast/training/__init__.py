"""The training loop of all tasks; a run that is killed and resumed ends in equal bits.

Reading order: `run_folder` (the folder of a run, its lock and its log), `checkpoints` (files that
are whole or absent), `signals`, `gradient_checks`, `engine` (the loop), `classify` (training on
labelled spike trains).
"""
