"""The records under `results/`, and the pages that take their figures from them."""
