"""One thing that `looptop doctor` has looked at, as a line and as JSON."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    good: bool
    said: str
    remedy: str = ""
    needed: bool = False
    """The loop cannot do without it."""

    def line(self) -> str:
        """`✓ git        2.39.5`, with the remedy behind what is not good."""
        sign = "✓" if self.good else ("✗" if self.needed else "–")
        return f"{sign} {self.what:<11} {self.said}" + (f"; {self.remedy}" if self.remedy and not self.good else "")

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)
