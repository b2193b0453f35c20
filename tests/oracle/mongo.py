"""As much of MongoDB's query and update languages as the cases use."""

import copy

from expressions import equals, ordered, walk
from values import MISSING, Long, is_number, same, sort_key


class CommandFailed(Exception):
    """MongoDB refuses the command or cannot apply it to a document."""


def matches(document, query):
    for key, condition in query.items():
        if key == "$and":
            good = all(matches(document, part) for part in condition)
        elif key == "$or":
            good = any(matches(document, part) for part in condition)
        elif key == "$nor":
            good = not any(matches(document, part) for part in condition)
        else:
            good = field_matches(walk(document, key.split(".")), condition)
        if not good:
            return False
    return True


def field_matches(lefts, condition):
    if not (isinstance(condition, dict) and condition and next(iter(condition)).startswith("$")):
        return is_equal(lefts, condition)
    return all(operator_matches(lefts, name, value) for name, value in condition.items())


def is_equal(lefts, value):
    return (value is None and not lefts) or any(equals(left, value) for left in lefts)


def operator_matches(lefts, name, value):
    if name == "$exists":
        return bool(lefts) == bool(value)
    if name == "$eq":
        return is_equal(lefts, value)
    if name == "$ne":
        return not is_equal(lefts, value)
    if name == "$in":
        return any(is_equal(lefts, one) for one in value)
    if name == "$nin":
        return not any(is_equal(lefts, one) for one in value)
    if name == "$not":
        return not field_matches(lefts, value)
    return any(ordered(name[1:], one, value)
               for left in lefts for one in ([left] + left if isinstance(left, list) else [left]))


def get(document, path):
    for name in path.split("."):
        if not isinstance(document, dict) or name not in document:
            return MISSING
        document = document[name]
    return document


def put(document, path, value):
    *above, last = path.split(".")
    for name in above:
        document = document.setdefault(name, {})
        if not isinstance(document, dict):
            raise CommandFailed(f"cannot create field in {path}")
    document[last] = value


def remove(document, path):
    *above, last = path.split(".")
    for name in above:
        document = document.get(name)
        if not isinstance(document, dict):
            return
    document.pop(last, None)


def is_replacement(update):
    return not any(name.startswith("$") for name in update)


def updated(document, update, is_insert=False):
    """The document after the update."""
    if is_replacement(update):
        after = {"_id": document["_id"]} if "_id" in document else {}
        after.update({name: value for name, value in update.items() if name != "_id"})
        return copy.deepcopy(after)
    after = copy.deepcopy(document)
    for path, name, value in sorted((path, name, value) for name, members in update.items()
                                    for path, value in members.items()):
        old = get(after, path)
        if name == "$set" or (name == "$setOnInsert" and is_insert):
            put(after, path, copy.deepcopy(value))
        elif name == "$unset":
            remove(after, path)
        elif name == "$inc":
            if old is not MISSING and not is_number(old):
                raise CommandFailed(f"Cannot apply $inc to {path}")
            put(after, path, total(0 if old is MISSING else old, value))
        elif name == "$min":
            if old is MISSING or sort_key(value) < sort_key(old):
                put(after, path, value)
        elif name == "$push":
            if old is not MISSING and not isinstance(old, list):
                raise CommandFailed(f"The field {path} must be an array")
            put(after, path, ([] if old is MISSING else old) + [value])
        elif name == "$rename":
            if old is not MISSING:
                remove(after, path)
                put(after, value, old)
    return after


def total(a, b):
    if isinstance(a, float) or isinstance(b, float):
        return float(a) + float(b)
    return Long(a + b) if isinstance(a, Long) or isinstance(b, Long) else a + b


def fixed_fields(query):
    """The equalities of a query, which an upsert takes over."""
    found = {}
    for key, condition in query.items():
        if key == "$and":
            for part in condition:
                for path, value in fixed_fields(part).items():
                    if path in found:
                        raise CommandFailed("matched twice")
                    found[path] = value
        elif not key.startswith("$"):
            if isinstance(condition, dict) and condition and next(iter(condition)).startswith("$"):
                if "$eq" not in condition:
                    continue
                condition = condition["$eq"]
            if key in found:
                raise CommandFailed("matched twice")
            found[key] = condition
    return found


def project(document, projection):
    """Inclusions or exclusions of whole paths, `_id` apart."""
    if not projection:
        return document
    names = {path: bool(value) for path, value in projection.items()}
    keeps_id = names.pop("_id", None)
    including = any(names.values()) if names else keeps_id is True
    shown = picked(document, list(names), including)
    if including and keeps_id is None or keeps_id is True:
        shown = {name: value for name, value in document.items() if name == "_id" or name in shown}
        shown = {name: picked({name: value}, list(names), including).get(name, value) for name, value in shown.items()}
    if keeps_id is False:
        shown.pop("_id", None)
    return shown


def picked(document, paths, including):
    result = {}
    for name, value in document.items():
        below = [path[len(name) + 1:] for path in paths if path.startswith(name + ".")]
        if name in paths:
            if including:
                result[name] = value
        elif below:
            value = picked_value(value, below, including)
            if value is not MISSING:
                result[name] = value
        elif not including:
            result[name] = value
    return result


def picked_value(value, paths, including):
    if isinstance(value, dict):
        return picked(value, paths, including)
    if isinstance(value, list):
        parts = [picked_value(element, paths, including) for element in value]
        return [part for part in parts if part is not MISSING]
    return MISSING if including else value


def run_pipeline(documents, pipeline):
    for stage in pipeline:
        (name, what), = stage.items()
        documents = STAGES[name](documents, what)
    return documents


def group(documents, what):
    found = []
    for document in documents:
        key = get(document, what["_id"][1:]) if isinstance(what["_id"], str) else what["_id"]
        key = None if key is MISSING else key
        mine = next((one for one in found if same(one["_id"], key)), None)
        if mine is None:
            mine = {"_id": key, **{name: 0 if "$sum" in how else [] for name, how in what.items() if name != "_id"}}
            found.append(mine)
        for name, how in what.items():
            if name == "_id":
                continue
            if "$sum" in how:
                mine[name] += how["$sum"]
            else:
                value = get(document, how["$push"][1:])
                if value is not MISSING:
                    mine[name].append(value)
    return found


def unwind(documents, path):
    found = []
    for document in documents:
        value = document.get(path[1:], MISSING)
        if isinstance(value, list):
            found += [{**document, path[1:]: element} for element in value]
        elif value is not MISSING and value is not None:
            found.append(document)
    return found


STAGES = {
    "$match": lambda documents, query: [one for one in documents if matches(one, query)],
    "$project": lambda documents, what: [project(one, what) for one in documents],
    "$limit": lambda documents, number: documents[:number],
    "$skip": lambda documents, number: documents[number:],
    "$sort": lambda documents, by: sort(documents, by),
    "$count": lambda documents, name: [{name: len(documents)}] if documents else [],
    "$unset": lambda documents, name: [project(one, {name: False}) for one in documents],
    "$group": group,
    "$unwind": unwind,
}


def sort(documents, by):
    for name, direction in reversed(list(by.items())):
        documents = sorted(documents, key=lambda one: sort_key(one.get(name, MISSING)), reverse=direction < 0)
    return documents
