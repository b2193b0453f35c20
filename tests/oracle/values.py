"""BSON values as plain Python: documents are dicts, arrays lists, int32 int, and the classes below for the rest."""

import datetime


class Long(int):
    """A 64-bit integer."""


class Oid(tuple):
    """An ObjectId: its 24 hex digits in a tuple, so that it equals no string."""

    def __new__(cls, digits):
        return super().__new__(cls, (digits,))

    def __deepcopy__(self, memo):
        return self


class Uuid(tuple):
    """A binary of subtype 4, as its 36 characters."""

    def __new__(cls, text):
        return super().__new__(cls, (text,))

    def __deepcopy__(self, memo):
        return self


class Missing:
    """What a path gives that is not there. Equal to nothing."""

    def __deepcopy__(self, memo):
        return self

    def __repr__(self):
        return "MISSING"


MISSING = Missing()


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def kind(value):
    """The class of values within which `<` means something."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if is_number(value):
        return "number"
    return {str: "string", dict: "object", list: "array", Oid: "objectId", Uuid: "uuid",
            datetime.datetime: "date"}[type(value)]


ORDER = ["null", "number", "string", "object", "array", "uuid", "objectId", "bool", "date"]


def same(a, b):
    """BSON equality: numbers across their types, documents with the order of their members."""
    if a is MISSING or b is MISSING or kind(a) != kind(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return a == b


def identical(a, b):
    """The same value with the same types all through."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(identical(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(identical(x, y) for x, y in zip(a, b))
    return a == b


def sort_key(value):
    """Orders scalars as MongoDB does; for what the generator sorts by."""
    if value is MISSING:
        value = None
    rank = ORDER.index(kind(value))
    return (rank, 0 if value is None else value)


def to_json(value):
    """Canonical Extended JSON."""
    if isinstance(value, Long):
        return {"$numberLong": str(int(value))}
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return {"$numberInt": str(value)}
    if isinstance(value, float):
        return {"$numberDouble": repr(value)}
    if isinstance(value, Oid):
        return {"$oid": value[0]}
    if isinstance(value, Uuid):
        return {"$uuid": value[0]}
    if isinstance(value, dict):
        return {name: to_json(member) for name, member in value.items()}
    return [to_json(member) for member in value]


def from_json(value):
    if isinstance(value, list):
        return [from_json(member) for member in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (name, inner), = value.items()
        readers = {"$numberInt": int, "$numberLong": Long, "$numberDouble": float, "$oid": Oid,
                   "$binary": _binary, "$undefined": lambda _: MISSING}
        if name in readers:
            return readers[name](inner)
    return {name: from_json(member) for name, member in value.items()}


def _binary(inner):
    import base64
    import uuid

    return Uuid(str(uuid.UUID(bytes=base64.b64decode(inner["base64"]))))


def texts(value):
    """Every string inside."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from texts(member)
    elif isinstance(value, list):
        for member in value:
            yield from texts(member)
