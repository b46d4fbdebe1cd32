"""Sizes, durations and short lists as a person reads them. Pure."""

from collections.abc import Collection


def size(count: float) -> str:
    """Bytes as `812 GB`, `6.1 GB`, `310 MB`, `64 kB`; a GB has 1024 MB, as the tools that measure it say."""
    for unit, scale in (("TB", 1024**4), ("GB", 1024**3), ("MB", 1024**2), ("kB", 1024)):
        if count >= scale:
            value = count / scale
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{count:.0f} B"


def decimal_size(count: float) -> str:
    """Bytes as a person writes them in program.md, where a GB has 1000 MB."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= scale:
            return f"{count / scale:g} {unit}"
    return f"{count:g} B"


def duration(seconds: float) -> str:
    """Such as `0.4 s`, `90 s`, `5 min`, `8.3 h`, `12 days`: one unit, and at least two of it."""
    units = (("days", 86400), ("h", 3600), ("min", 60))
    unit, scale = next(((unit, scale) for unit, scale in units if seconds >= 2 * scale), ("s", 1))
    return f"{seconds / scale:.{1 if seconds < 10 * scale else 0}f}".removesuffix(".0") + f" {unit}"


def listed(names: Collection[str], most: int = 5) -> str:
    """`a`, `a and b`, `a, b and c`; of more than `most` + 1 names the first ones, such as `a, b and 40 more`."""
    shown = list(names)
    if len(shown) > most + 1:
        shown[most:] = [f"{len(shown) - most} more"]
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))
