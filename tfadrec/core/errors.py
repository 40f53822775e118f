"""The errors that a user can meet.

A message states the rule, then what was received, then the mend, on one line.
"""


class TfadrecError(Exception):
    """The work failed (exit code 1)."""


class InputError(TfadrecError, ValueError):
    """The call or its input was wrong (exit code 2)."""


class NotAllowedError(InputError):
    """A class of a module that the user has not allowed to import."""


class NothingNewError(InputError):
    """A day brought no row that a run does not have."""
