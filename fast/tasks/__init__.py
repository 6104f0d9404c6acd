"""Tasks: what is trained, on what, and when it counts as learned.

One module a task, each with `add_options` and `train`; `shared` is what they have in common.
"""
