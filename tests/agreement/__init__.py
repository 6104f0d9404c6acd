"""fast against reference on networks that Hypothesis draws, and planted faults."""
