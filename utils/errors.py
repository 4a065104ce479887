"""Errors that a user can cause. The scripts print them as one line and exit with status 2."""


class UserError(Exception):
    """Something the user can put right; the message says what is wrong, where, and what would be right."""


class ConfigError(UserError):
    """A configuration that cannot be run as it stands."""


class DataError(UserError):
    """A file or a corpus that cannot be used as it stands."""
