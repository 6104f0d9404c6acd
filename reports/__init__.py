"""Pictures of recorded evidence. This package draws what a run has written down; it computes nothing of its own.

`python -m reports RUN` draws a run's folder again.
"""
