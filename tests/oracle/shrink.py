"""Makes a failing case smaller: tries all ways to leave one thing out at once, each as a collection of one deployment."""

import copy

MOST_ROUNDS = 40
MOST_CANDIDATES = 150


def smaller(space, operation, problem, first_failing):
    for _ in range(MOST_ROUNDS):
        candidates = list(reductions(space, operation))[:MOST_CANDIDATES]
        if not candidates:
            break
        found = first_failing(candidates)
        if found is None:
            break
        space, operation, problem = found
    return space, operation, problem


def reductions(space, operation):
    if space["schema"]:
        yield {**space, "schema": None}, operation
    for name in ("documents", "roles", "filters"):
        for index in range(len(space[name])):
            if name != "roles" or len(space[name]) > 1:
                yield {**space, name: space[name][:index] + space[name][index + 1:]}, operation
    for less in less_of(operation["arguments"]):
        yield space, {**operation, "arguments": less}
    for name in ("roles", "filters", "documents"):
        for index, one in enumerate(space[name]):
            for less in less_of(one):
                if name == "documents" and "_id" not in less or name != "documents" and "name" not in less:
                    continue
                yield {**space, name: space[name][:index] + [less] + space[name][index + 1:]}, operation
    if space["schema"]:
        for less in less_of(space["schema"]):
            yield {**space, "schema": less}, operation


def less_of(value):
    """Copies with one member, element or nested value left out or put in place of the whole."""
    if isinstance(value, dict):
        for name in value:
            yield {key: copy.deepcopy(one) for key, one in value.items() if key != name}
        for name, one in value.items():
            if name in ("read", "write", "apply_when", "insert", "delete") and not isinstance(one, bool):
                yield {**value, name: True}
                yield {**value, name: False}
            for less in less_of(one):
                yield {**value, name: less}
    elif isinstance(value, list):
        for index in range(len(value)):
            yield value[:index] + value[index + 1:]
        for index, one in enumerate(value):
            for less in less_of(one):
                yield value[:index] + [less] + value[index + 1:]
