"""Rule expressions, evaluated the plain way: recursively over their JSON, for one document, nothing compiled.

The truth of an expression is True, False, or None when it cannot be known because something failed (a function threw, a
conversion got bad input). What failed is never true, and its negation is not true either.
"""

import re

from values import MISSING, Oid, Uuid, is_number, kind, same

COMPARISONS = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "exists", "all")
LOGICAL = ("and", "or", "nor", "not")
CONVERSIONS = ("stringToOid", "oidToString", "stringToUuid", "uuidToString")


class Failed(Exception):
    """A value could not be had."""


class Unresolved(Exception):
    """An expansion names something that is not there."""


class Scope:
    """What an expression may refer to. `this` and `prev` only in permissions of fields and in schemas."""

    is_deletion = False  # then a field is, as the document is, the stored one both before and after

    def __init__(self, world, user, root, prev_root, this=MISSING, prev=MISSING):
        self.world, self.user = world, user
        self.root, self.prev_root, self.this, self.prev = root, prev_root, this, prev

    def at_field(self, this, prev):
        return Scope(self.world, self.user, self.root, self.prev_root, this, prev)


def holds(expression, scope):
    return truth(expression, scope) is True


def truth(expression, scope):
    if isinstance(expression, bool):
        return expression
    return every(truth_of_member(key, operand, scope) for key, operand in expression.items())


def every(truths):
    truths = list(truths)
    if any(one is False for one in truths):
        return False
    return None if any(one is None for one in truths) else True


def some(truths):
    truths = list(truths)
    if any(one is True for one in truths):
        return True
    return None if any(one is None for one in truths) else False


def negated(one):
    return None if one is None else not one


def operator(key):
    """The name of an operator without its sign, or None."""
    if key.startswith("%%") or key[:1] not in ("%", "$"):
        return None
    return key[1:]


def logical(name, operand, evaluate):
    if name == "not":
        return negated(evaluate(operand))
    parts = [evaluate(part) for part in operand]
    if name == "and":
        return every(parts)
    return some(parts) if name == "or" else negated(some(parts))


def truth_of_member(key, operand, scope):
    name = operator(key)
    if name in LOGICAL:
        return logical(name, operand, lambda part: truth(part, scope))
    if key in ("%%true", "%%false"):
        wanted = key == "%%true"
        try:
            value = value_of(operand, scope)
        except Failed:
            return None
        except Unresolved:
            return False
        return value is wanted
    try:
        lefts, is_expansion = left_values(key, scope), key.startswith("%%")
    except Failed:
        return None
    return compare(lefts, operand, scope, is_expansion)


def left_values(key, scope):
    """All values that the path leads to; through arrays it fans out as in MongoDB's queries."""
    if not key.startswith("%%"):
        return walk(scope.root, key.split("."))
    base, path = expansion(key, scope)
    return walk(base, path)


def expansion(text, scope):
    """The value an expansion starts at, and the path from there."""
    name, *path = text[2:].split(".")
    if name == "environment":
        return scope.world["environment"], path
    bases = {"root": scope.root, "prevRoot": scope.prev_root, "this": scope.this, "prev": scope.prev,
             "user": scope.user, "values": scope.world["values"], "true": True, "false": False}
    return bases[name], path


def walk(value, path):
    if not path:
        return [] if value is MISSING else [value]
    if isinstance(value, dict):
        return walk(value[path[0]], path[1:]) if path[0] in value else []
    if isinstance(value, list):
        found = []
        if path[0].isdigit() and int(path[0]) < len(value):
            found += walk(value[int(path[0])], path[1:])
        for element in value:
            if isinstance(element, dict):
                found += walk(element, path)
        return found
    return []


def is_operators(operand):
    return isinstance(operand, dict) and bool(operand) and all(operator(key) is not None for key in operand)


def compare(lefts, operand, scope, is_expansion):
    if is_operators(operand):
        only = next(iter(operand))
        if operator(only) not in CONVERSIONS + ("function",):
            return every(compare_by(operator(key), lefts, value, scope, is_expansion)
                         for key, value in operand.items())
    if is_expansion and isinstance(operand, dict) and not is_operators(operand):
        return some(isinstance(left, dict) and every(
            compare(walk(left, name.split(".")), value, scope, True) for name, value in operand.items())
            for left in lefts)
    return compare_by("eq", lefts, operand, scope, is_expansion)


def compare_by(name, lefts, operand, scope, is_expansion):
    if name in LOGICAL:
        return logical(name, operand, lambda part: compare(lefts, part, scope, is_expansion))
    if name == "exists":
        return bool(lefts) == bool(value_of(operand, scope))
    if name == "ne":
        return negated(compare_by("eq", lefts, operand, scope, is_expansion))
    try:
        if name in ("in", "nin", "all"):
            wanted = list_of(operand, scope)
        else:
            wanted = value_of(operand, scope)
    except Failed:
        return None
    except Unresolved:
        return name == "nin"
    if name == "eq":
        if operand is None and not lefts:
            return True
        if isinstance(wanted, list) and isinstance(operand, str):
            return any(equals(left, wanted) or any(same(left, one) for one in wanted) for left in lefts)
        return any(equals(left, wanted) for left in lefts)
    if name in ("in", "nin"):
        if wanted is None:
            return False
        is_in = any(equals(left, one) for left in lefts for one in wanted) if lefts else any(
            one is None for one in wanted)
        return is_in == (name == "in")
    if name == "all":
        return bool(wanted) and all(any(equals(left, one) for left in lefts) for one in wanted)
    return any(ordered(name, candidate, wanted)
               for left in lefts for candidate in ([left] + left if isinstance(left, list) else [left]))


def equals(left, right):
    """Equality, or a left array that contains the right side."""
    return same(left, right) or (isinstance(left, list) and any(same(element, right) for element in left))


def ordered(name, a, b):
    if a is None or b is None or kind(a) != kind(b) or kind(a) not in ("number", "string"):
        return False
    return {"gt": a > b, "gte": a >= b, "lt": a < b, "lte": a <= b}[name]


def list_of(operand, scope):
    """A list's values without those that do not resolve; None when it is no list."""
    if not isinstance(operand, list):
        value = value_of(operand, scope)
        return value if isinstance(value, list) else None
    found = []
    for member in operand:
        try:
            found.append(value_of(member, scope))
        except Unresolved:
            pass
    return found


def value_of(operand, scope):
    """What stands on the right side."""
    if isinstance(operand, str) and operand.startswith("%%"):
        if operand in ("%%true", "%%false"):
            return operand == "%%true"
        base, path = expansion(operand, scope)
        for name in path:
            if not isinstance(base, dict) or name not in base:
                raise Unresolved
            base = base[name]
        if base is MISSING:
            raise Unresolved
        return base
    if isinstance(operand, list):
        return [value_of(member, scope) for member in operand]
    if isinstance(operand, dict) and is_operators(operand):
        (key, inner), = operand.items()
        if operator(key) == "function":
            return call(inner, scope)
        if operator(key) in CONVERSIONS:
            return convert(operator(key), value_of(inner, scope))
        result = truth(operand, scope)
        if result is None:
            raise Failed
        return result
    return operand


def call(function, scope):
    arguments = []
    for argument in function.get("arguments", []):
        try:
            arguments.append(value_of(argument, scope))
        except Unresolved:
            arguments.append(MISSING)  # JavaScript's undefined
    return scope.world["functions"][function["name"]](*arguments)


def convert(name, value):
    if name == "stringToOid":
        if isinstance(value, Oid):
            return value
        if isinstance(value, str) and re.fullmatch("[0-9a-fA-F]{24}", value):
            return Oid(value.lower())
        if isinstance(value, str) and len(value.encode()) == 12:
            return Oid(value.encode().hex())
    if name == "oidToString" and isinstance(value, Oid):
        return value[0]
    if name == "stringToUuid" and isinstance(value, str) and re.fullmatch(
            "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value):
        return Uuid(value)
    if name == "uuidToString" and isinstance(value, Uuid):
        return value[0]
    raise Failed


__all__ = ["Failed", "Scope", "Unresolved", "equals", "holds", "is_number", "ordered", "truth", "value_of", "walk"]
