"""A moment as a person types it: `4h` ago, `22:14`, `2026-01-02 03:04`, `today`. Pure but for the time zone."""

import datetime
import re

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d|w)(?:\s*ago)?", re.IGNORECASE)
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_OF_DAY = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


def moment(text: str, now: float) -> float:
    """The moment that `text` means, in Unix seconds, never later than `now`.

    Args:
        text: how long ago (`90s`, `30m`, `4h`, `2d`, `1w`), a time of day (the last time that it was so), `today`,
            `yesterday`, or an ISO date with or without a time and a zone.

    Raises:
        ValueError: it means none; the message is a sentence.
    """
    text = text.strip()
    here = datetime.datetime.fromtimestamp(now).astimezone()
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        if found := _AGO.fullmatch(text):
            at = now - float(found[1]) * _UNITS[found[2].lower()]
        elif found := _OF_DAY.fullmatch(text):
            then = midnight.replace(hour=int(found[1]), minute=int(found[2]), second=int(found[3] or 0))
            at = (then if then <= here else then - datetime.timedelta(days=1)).timestamp()
        elif text in ("today", "yesterday"):
            at = (midnight - datetime.timedelta(days=text == "yesterday")).timestamp()
        else:
            at = datetime.datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"{text!r:.60} is no moment; write how long ago (30m, 4h, 2d), a time of day (22:14), or a date "
            "(2026-01-31, 2026-01-31T22:14)"
        ) from None
    return min(at, now)
