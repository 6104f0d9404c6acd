"""The record of one neuron over a trial: last spike, maximum, integral, ties, solved bins."""

from delayprop.fast.compiling.compiler import compiled

# Rows of a record `[NEURON_RECORD, LANES]` of a pack, float64.
RECENT_BIN, RECENT_REST, RECENT_SLOPE = 0, 1, 2  # last spike (bin -1: none), and Vdot_minus there
MAX_V, MAX_BIN, MAX_REST = 3, 4, 5  # largest voltage, and its instant (bin -1: the initial 0)
MAX_SLOPE, MAX_GROUP = 6, 7  # slope just after it (0 inside a stretch); number of arrivals that pin it
INTEGRAL, TIES = 8, 9  # integral of the voltage; ties as bits
SOLVED = 10  # number of bins that were solved event by event
NEURON_RECORD = 11

ARRIVAL_AT_CROSSING, SPIKE_AT_END, ARRIVAL_AT_END, EQUAL_MAXIMA, SIMULTANEOUS_AT_MAXIMUM = 1, 2, 4, 8, 16


@compiled
def offer_maximum(neuron_record, lane, V, bin_, rest, Vdot_plus, group, touch):
    """Offer a local maximum `V` of the voltage to the record of a lane.

    It is recorded if it exceeds the largest one by more than rounding; an equal one is a tie, and
    is flagged. `bin_, rest`: its instant. `Vdot_plus`: the slope just after it. `group`: the number
    of arrivals that make it. `touch`: the width of "equal", relative.
    """
    margin = touch * abs(neuron_record[MAX_V, lane])
    if V > neuron_record[MAX_V, lane] + margin:
        neuron_record[MAX_V, lane], neuron_record[MAX_BIN, lane], neuron_record[MAX_REST, lane] = V, bin_, rest
        neuron_record[MAX_SLOPE, lane], neuron_record[MAX_GROUP, lane] = Vdot_plus, group
        # A tie of two smaller maxima matters no longer.
        neuron_record[TIES, lane] = int(neuron_record[TIES, lane]) & ~EQUAL_MAXIMA
    elif neuron_record[MAX_BIN, lane] >= 0.0 and margin + V >= neuron_record[MAX_V, lane]:
        flag(neuron_record, lane, EQUAL_MAXIMA)


@compiled
def flag(neuron_record, lane, tie):
    """Add a tie to the record of a lane."""
    neuron_record[TIES, lane] = int(neuron_record[TIES, lane]) | tie
