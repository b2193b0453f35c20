"""Compares an answer with what a case expects.

A string in an expectation may be a pattern:
  <any>  <string>  <number>  <hex24>  <jwt>  <re:REGEX>  <has:TEXT>
An object must have exactly the expected members, or at least them when it also has "...": true.
A member that is expected as "<absent>" must be missing.
"""

import re

JWT = re.compile(r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$")
HEX24 = re.compile(r"^[0-9a-f]{24}$")


def difference(actual, expected, where="body"):
    """None when they match, else one line that says where they do not."""
    if isinstance(expected, dict):
        return _object_difference(actual, expected, where)
    if isinstance(expected, list):
        return _array_difference(actual, expected, where)
    if isinstance(expected, str):
        return _text_difference(actual, expected, where)
    if type(actual) is not type(expected) or actual != expected:
        return f"{where} is {actual!r}, expected {expected!r}"
    return None


def _object_difference(actual, expected, where):
    if not isinstance(actual, dict):
        return f"{where} is {actual!r}, expected an object"
    open_ended = expected.get("...", False)
    for name, wanted in expected.items():
        if name == "...":
            continue
        if wanted == "<absent>":
            if name in actual:
                return f"{where}.{name} is {actual[name]!r}, expected nothing"
            continue
        if name not in actual:
            return f"{where}.{name} is missing in {actual!r}"
        found = difference(actual[name], wanted, f"{where}.{name}")
        if found:
            return found
    surplus = [name for name in actual if name not in expected]
    if surplus and not open_ended:
        return f"{where} has unexpected members {surplus} in {actual!r}"
    return None


def _array_difference(actual, expected, where):
    if not isinstance(actual, list):
        return f"{where} is {actual!r}, expected an array"
    if len(actual) != len(expected):
        return f"{where} has {len(actual)} elements, expected {len(expected)}: {actual!r}"
    for index, wanted in enumerate(expected):
        found = difference(actual[index], wanted, f"{where}[{index}]")
        if found:
            return found
    return None


def _text_difference(actual, expected, where):
    if expected == "<any>":
        return None
    if expected == "<number>":
        fits = isinstance(actual, (int, float)) and not isinstance(actual, bool)
        return None if fits else f"{where} is {actual!r}, expected a number"
    if not isinstance(actual, str):
        return f"{where} is {actual!r}, expected {expected!r}"
    if expected == "<string>":
        fits = True
    elif expected == "<hex24>":
        fits = HEX24.match(actual)
    elif expected == "<jwt>":
        fits = JWT.match(actual)
    elif expected.startswith("<re:") and expected.endswith(">"):
        fits = re.search(expected[4:-1], actual)
    elif expected.startswith("<has:") and expected.endswith(">"):
        fits = expected[5:-1] in actual
    else:
        fits = actual == expected
    return None if fits else f"{where} is {actual!r}, expected {expected!r}"
