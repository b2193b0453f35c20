"""The documents of all benchmarks: one generator, so that every system holds the same data."""

import random

DOCUMENT_BYTES = 240
CATEGORIES = 40

_BSON_HEAD_AND_END = 5
_OBJECT_ID_BYTES = 12
_INT32_BYTES = 4


def _element_bytes(name, value):
    """Size of one BSON element whose value is a string or a 32-bit integer."""
    payload = _INT32_BYTES if isinstance(value, int) else 4 + len(value.encode()) + 1
    return 1 + len(name) + 1 + payload


def bson_bytes(fields):
    """Size of the BSON document that has these fields and an ObjectId as its _id."""
    elements = sum(_element_bytes(name, value) for name, value in fields.items())
    return _BSON_HEAD_AND_END + 1 + len("_id") + 1 + _OBJECT_ID_BYTES + elements


def fields_of(number, owner):
    """The fields of document `number` beside its key: 240 bytes of BSON with an ObjectId."""
    fields = {
        "owner": owner,
        "title": f"Item {number:08d}",
        "category": f"category-{number % CATEGORIES:02d}",
        "body": "",
        "amount": number * 7 % 10007,
        "rating": number % 5 + 1,
        "internal": f"margin-{number % 997:03d}",
    }
    missing = DOCUMENT_BYTES - bson_bytes(fields)
    if missing < 0:
        raise ValueError(f"owner id too long for a document of {DOCUMENT_BYTES} bytes")
    letters = random.Random(number)
    fields["body"] = "".join(letters.choices("abcdefghijklmnopqrstuvwxyz ", k=missing))
    return fields


def readable(fields):
    """What a user who owns the document may see of it."""
    return {name: value for name, value in fields.items() if name != "internal"}


def shuffled_numbers(count):
    """All document numbers in an order that is the same in every run."""
    numbers = list(range(count))
    random.Random(count).shuffle(numbers)
    return numbers
