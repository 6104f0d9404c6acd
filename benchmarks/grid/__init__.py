"""The cost of a grid: EventProp stepped through time, compared with the exact gradient."""
