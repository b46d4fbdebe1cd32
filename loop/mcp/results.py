"""What the tools answer, as objects with a schema each: some clients refuse a bare list. Pure."""

from typing import Any

from pydantic import BaseModel, Field

from loop.sanitize import plain

SHORT, LONG = 20_000, 60_000
"""Characters of a text in one answer where nothing is asked for, and at most: about 6,000 and 18,000 tokens. Clients
that bound an answer do so at 25,000 tokens (Claude Code)."""


class Text(BaseModel):
    """A text, or a part of a long one."""

    text: str
    offset: int = Field(description="Character at which this part begins.")
    total: int = Field(description="Characters of the whole text.")
    next_offset: int | None = Field(description="Call again with this offset for what follows; null at the end.")

    def readable(self) -> str:
        """The same for clients that read no objects: the text, and where it goes on."""
        if self.next_offset is None:
            return self.text
        return f"{self.text}\n(to character {self.next_offset} of {self.total}: call again with that offset)"


class Row(BaseModel):
    """One experiment in a list."""

    id: int
    parent: int | None
    title: str
    researcher: str
    phase: str
    verdict: str | None = Field(description="kept, discarded, crashed, rejected and the like; null while it is open.")
    reason: str
    metric: float | None
    effect: float | None = Field(description="Gain over the champion of its time, in the metric's own units.")
    confidence: float | None = Field(description="Probability that it is better, 0 to 1.")
    champion: bool


class Detail(Row):
    """One experiment with all that is known of it."""

    hypothesis: str
    expected: str
    judged_by: str | None
    flags: list[str]
    waits_for: str | None
    note: str | None = Field(description="What the person has noted on it.")
    noted_by: str | None
    values: dict[str, Any] = Field(description="What its runs printed, as means over the runs.")
    runs: list[dict[str, Any]]
    commit: str | None
    lines_added: int | None
    lines_removed: int | None


class Rows(BaseModel):
    """A part of the experiments."""

    experiments: list[Row]
    total: int = Field(description="How many there are that were asked for.")
    next_offset: int | None = Field(description="Call again with this offset for older ones; null at the end.")


class CurvePoint(BaseModel):
    """What a run reported at a moment."""

    seconds: float = Field(description="Since the run started.")
    value: float | None


class Curve(BaseModel):
    """A run's reported values over its time."""

    experiment: int
    run: int | None
    name: str = Field(description="Which value it is; empty where the run has reported none.")
    names: list[str] = Field(description="All values that the run reports.")
    points: list[CurvePoint]


class Said(BaseModel):
    """That something was taken in."""

    said: str


def part(text: str, offset: int, limit: int) -> Text:
    """The part of a text that begins at `offset`, made safe to show, of at most `limit` characters."""
    text = plain(text, tab="\t")
    offset = min(max(0, offset), len(text))
    end = min(len(text), offset + min(max(1, limit), LONG))
    return Text(text=text[offset:end], offset=offset, total=len(text), next_offset=end if end < len(text) else None)
