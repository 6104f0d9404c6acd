"""What a grid costs: EventProp stepped through time, held against the exact gradient."""
