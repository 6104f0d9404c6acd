"""Tasks: what is trained, on what, and when it counts as learned.

One module a task, each with `add_options` and `prepare`, which gives a `Training` to the engine (`fast.training`).
"""
