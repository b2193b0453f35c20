"""Assertions, and the list that the modules of tests register with."""

import contextlib

TESTS = []


class Failed(AssertionError):
    pass


def test(function):
    TESTS.append(function)
    return function


def equal(got, wanted, what=""):
    if got != wanted:
        raise Failed(f"{what or 'value'}: got {got!r}, wanted {wanted!r}")


def true(value, what):
    if not value:
        raise Failed(f"{what}: got {value!r}")


@contextlib.contextmanager
def fails(kind, code=None, text=None, label=None):
    """The block must raise `kind` with that code, part of a message, and error label."""
    try:
        yield
    except kind as error:
        if code is not None:
            equal(error.code, code, f"code of {error}")
        if text is not None:
            true(text in str(error), f"message {error} with {text!r}")
        if label is not None:
            true(error.has_error_label(label), f"label {label} of {error.details}")
        return
    raise Failed(f"nothing was raised, wanted {kind.__name__} {code or ''}")
