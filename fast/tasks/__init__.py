"""The tasks of `python -m fast.train`, one module or package each; `registry` lists them."""
