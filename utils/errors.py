"""Errors that a user can cause. The scripts print them as one line and exit with status 2."""

import struct


class UserError(Exception):
    """Something the user can put right; the message says what is wrong, where, and what would be right."""


class ConfigError(UserError):
    """A configuration that cannot be run as it stands."""


class DataError(UserError):
    """A file or a corpus that cannot be used as it stands."""


# What the libraries that decode and compute raise for one odd file. A mistake in the code (TypeError, NameError, ...)
# is not among them, nor a full disk (OSError): those are not the file's.
BROKEN_FILE = (ArithmeticError, EOFError, IndexError, MemoryError, RuntimeError, ValueError, struct.error)


def reason_of(error: Exception, file: object) -> str:
    """Return in one line what a ``DataError`` says of a file, or which of ``BROKEN_FILE`` it was; begins with it."""
    words = str(error) if isinstance(error, UserError) else f"{file}: cannot be read ({library_words(error)})."
    return " ".join(words.split())


def library_words(error: Exception) -> str:
    """Return what an exception of a library is and says, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".rstrip(": ").split())


def short(value: object, longest: int = 100) -> str:
    """Return ``repr(value)`` for a message, cut to ``longest`` characters.

    >>> short("x" * 1000, 12)
    "'xxxxxxxx..."
    """
    text = repr(value)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
