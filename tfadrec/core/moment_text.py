"""A moment as people write it, and until when one may be asked for."""

import datetime

#: The year 2200, seconds since 1970. A later moment was meant to be in
#: milliseconds.
LATEST = 7_258_118_400


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
