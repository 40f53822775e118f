"""A moment as people write it."""

import datetime


def moment_text(seconds: float) -> str:
    """Seconds since 1970 as a date and a time of day, UTC.

    Args:
      seconds: whose fraction is left out. Of a number beyond the years that
        text can have, that is the text.
    """
    try:
        moment = datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)
    except (ValueError, OverflowError, OSError):
        return str(int(seconds))
    return moment.strftime("%Y-%m-%d %H:%M:%S")
