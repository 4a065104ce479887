"""Errors that a user can cause. The scripts print them as one line and exit with status 2."""


class UserError(Exception):
    """Something the user can put right; the message says what is wrong, where, and what would be right."""


class ConfigError(UserError):
    """A configuration that cannot be run as it stands."""


class DataError(UserError):
    """A file or a corpus that cannot be used as it stands."""


def short(value: object, longest: int = 100) -> str:
    """Return ``repr(value)`` for a message, cut to ``longest`` characters.

    >>> short("x" * 1000, 12)
    "'xxxxxxxx..."
    """
    text = repr(value)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
