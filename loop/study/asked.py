"""What a person has asked for, as the events of a journal amount to it: filled in by `state`, read by all."""

from dataclasses import dataclass, field

from loop.study import events as e


class Pins(dict[int, str]):
    """The person's standing guidance, by number. No number is given twice."""

    newest = 0

    def pin(self, text: str) -> None:
        self.newest += 1
        self[self.newest] = text

    def unpin(self, number: int | None) -> None:
        """Take one back, or all of them."""
        for pin in list(self) if number is None else [number]:
            self.pop(pin, None)


@dataclass(slots=True)
class Request:
    """Something a person asked for."""

    seq: int
    at: float
    who: str
    kind: str
    body: e.Body
    experiment: int | None
    fulfilled_at: float | None = None
    outcome: str = ""
    heard: dict[str, int | None] = field(default_factory=dict)
    """For words: who has heard them, and the experiment that each thought about then."""
