"""Linearizability of one register, after Wing and Gong's search with Lowe's memory of visited states.

An operation is {"f": "read"|"write"|"cas", "call": time, "return": time, …}: a read has `value`, a write `value`, a
compare-and-set `from`, `to` and `ok`. Without `return` its outcome is unknown: it happened at some time after its call, or
never."""


def apply(operation, value, is_known):
    """(whether the register may answer so in this state, its next value)"""
    kind = operation["f"]
    if kind == "read":
        return value == operation["value"], value
    if kind == "write":
        return True, operation["value"]
    if not is_known:
        return True, operation["to"] if value == operation["from"] else value
    succeeds = value == operation["from"]
    return succeeds == operation["ok"], operation["to"] if succeeds else value


def check(history, initial=None):
    """None when an order of the operations explains all answers, else the operations at which every order fails."""
    known = sorted((op for op in history if "return" in op), key=lambda op: op["call"])
    unknown = [op for op in history if "return" not in op and op["f"] != "read"]
    everything = (1 << len(known)) - 1
    start = (0, 0, initial)
    stack, visited = [start], {start}
    furthest = 0
    while stack:
        done, used, value = stack.pop()
        if done == everything:
            return None
        furthest = max(furthest, done, key=int.bit_count)
        for state in _successors(known, unknown, done, used, value):
            if state not in visited:
                visited.add(state)
                stack.append(state)
    stuck = _first_undone(furthest)
    return known[max(0, stuck - 5):stuck + 10]


def _first_undone(done):
    return ((~done) & (done + 1)).bit_length() - 1


def _successors(known, unknown, done, used, value):
    # Only what was called before the first return of something undone may come next.
    limit = None
    candidates = []
    for index in range(_first_undone(done), len(known)):
        operation = known[index]
        if limit is not None and operation["call"] > limit:
            break
        if done >> index & 1:
            continue
        candidates.append(index)
        limit = operation["return"] if limit is None else min(limit, operation["return"])
    for index, operation in enumerate(unknown):
        if not used >> index & 1 and operation["call"] <= limit:
            _, following = apply(operation, value, False)
            if following != value:
                yield done, used | 1 << index, following
    for index in candidates:
        operation = known[index]
        if operation["call"] > limit:
            continue
        possible, following = apply(operation, value, True)
        if possible:
            yield done | 1 << index, used, following
