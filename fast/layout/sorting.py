"""Sorting the arrivals of a bin, in place and without scratch space, so on a GPU as well."""

from delayprop.fast.compiling.compiler import compiled

BY_INSERTION = 48  # arrivals, at most


@compiled
def insert_in_order(rest, weight, count):
    """Sort the first `count` arrivals by time, in place, by insertion.

    Equal instants are turned around: a chain has the latest spike first, so the earlier spike then
    goes first.
    """
    for n in range(1, count):
        r, w = rest[n], weight[n]
        k = n
        while k > 0 and rest[k - 1] >= r:
            rest[k], weight[k] = rest[k - 1], weight[k - 1]
            k -= 1
        rest[k], weight[k] = r, w


@compiled
def sort_by_rest(rest, weight, count):
    """Sort the first `count` arrivals of a bin by time, in place: few by insertion, many as a heap,
    in which equal instants are in any order."""
    if count <= BY_INSERTION:
        insert_in_order(rest, weight, count)
        return
    for top in range(count // 2 - 1, -1, -1):
        _sift(rest, weight, top, count)
    for bottom in range(count - 1, 0, -1):
        rest[0], rest[bottom] = rest[bottom], rest[0]
        weight[0], weight[bottom] = weight[bottom], weight[0]
        _sift(rest, weight, 0, bottom)


@compiled
def _sift(rest, weight, top, count):
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
        weight[top], weight[child] = weight[child], weight[top]
        top = child
