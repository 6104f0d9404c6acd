"""Sorting the arrivals of a bin, in place and without scratch space, so on a GPU as well."""

from delayprop.fast.compiling.compiler import compiled


@compiled
def sort_by_rest(rest, sources, count):
    """Sort the first `count` arrivals of a bin by time, in place: few by insertion, many as a heap.

    The input has the latest spike first. At one instant the earlier spike goes first (in a heap:
    any).
    """
    if count <= 48:
        for n in range(1, count):
            r, source = rest[n], sources[n]
            k = n
            while k > 0 and rest[k - 1] >= r:
                rest[k], sources[k] = rest[k - 1], sources[k - 1]
                k -= 1
            rest[k], sources[k] = r, source
        return
    for top in range(count // 2 - 1, -1, -1):
        _sift(rest, sources, top, count)
    for bottom in range(count - 1, 0, -1):
        rest[0], rest[bottom] = rest[bottom], rest[0]
        sources[0], sources[bottom] = sources[bottom], sources[0]
        _sift(rest, sources, 0, bottom)


@compiled
def _sift(rest, sources, top, count):
    """Let an arrival sink to its place in a heap with the latest arrival on top."""
    while True:
        child = 2 * top + 1
        if child >= count:
            return
        if child + 1 < count and rest[child + 1] > rest[child]:
            child += 1
        if rest[top] >= rest[child]:
            return
        rest[top], rest[child] = rest[child], rest[top]
        sources[top], sources[child] = sources[child], sources[top]
        top = child
