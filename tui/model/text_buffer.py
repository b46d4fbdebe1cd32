"""A bounded stream of paragraphs, wrapped to a width: what the mind and the log show.

Plain data, no screen. A row keeps its number: row 0 is the first at the start, older text that is paged in goes below
zero, and dropping old paragraphs renumbers nothing, so a person who has scrolled up keeps their place while new text
arrives. Appending to the last paragraph re-wraps its last row only; a new width, or folding, wraps everything again,
at about a microsecond a row.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from tui.render.text import wrap


@dataclass(slots=True)
class Paragraph:
    """One logical line. `lead` stands before its first row, and later rows are indented by as much."""

    kind: str
    text: str
    lead: str = ""
    right: str = ""
    """What stands at the right end of the first row, such as the time."""
    seq: int = 0
    """The event it began with; 0 where there is none."""
    who: str = ""
    """The researcher that it is of; empty for what is nobody's or everybody's."""
    folds: bool = False
    """Part of a finished thought, and so not shown while the buffer is folded."""
    rows: list[tuple[int, int]] = field(default_factory=list)


class TextBuffer:
    """The newest paragraphs of a stream.

    Args:
        most: characters kept; the oldest paragraphs go first. Text that is paged in is kept beyond that, until `trim`.
    """

    def __init__(self, most: int = 600_000, width: int = 80) -> None:
        self.most, self.width = most, width
        self.paragraphs: deque[Paragraph] = deque()
        self._starts: deque[int] = deque()
        """Row number at which each paragraph begins."""
        self._index: list[int] | None = None
        self.chars = 0
        self.spare = 0
        """Characters allowed beyond `most`, for what was paged in."""
        self.folded = False
        self.only = ""
        """The researcher whose paragraphs alone are shown, beside those of nobody; empty: all of them."""
        self.first = 0
        """Number of the oldest row that is still there."""
        self.end = 0
        """Number behind the newest row."""

    def __len__(self) -> int:
        """Rows in the buffer."""
        return self.end - self.first

    def clear(self) -> None:
        """Forget everything, but not the numbering."""
        self.paragraphs.clear()
        self._starts.clear()
        self._index = None
        self.chars, self.spare, self.first = 0, 0, self.end

    def add(self, paragraph: Paragraph) -> None:
        """A new paragraph at the end."""
        paragraph.rows = self._wrapped(paragraph)
        self.paragraphs.append(paragraph)
        self._starts.append(self.end)
        self._index = None
        self.end += len(paragraph.rows)
        self.chars += _weight(paragraph)
        self._drop()

    def prepend(self, paragraphs: Sequence[Paragraph]) -> None:
        """Older paragraphs, before all that are there."""
        for paragraph in reversed(paragraphs):
            paragraph.rows = self._wrapped(paragraph)
            self.first -= len(paragraph.rows)
            self.paragraphs.appendleft(paragraph)
            self._starts.appendleft(self.first)
            self.chars += _weight(paragraph)
            self.spare += _weight(paragraph)
        self._index = None

    def trim(self) -> None:
        """Drop what was paged in, once nobody looks at it any more."""
        self.spare = 0
        self._drop()

    def fold(self, folded: bool) -> None:
        """Show finished thoughts, or leave them out. The numbers of the rows change, the first stays the first."""
        self.folded = folded
        self._wrap_all()

    def show_only(self, who: str) -> None:
        """Show the paragraphs of one researcher, or of all for "". The numbers of the rows change, as by `fold`."""
        self.only = who
        self._wrap_all()

    def pop(self) -> None:
        """Take the last paragraph away."""
        last = self.paragraphs.pop()
        self.end = self._starts.pop()
        self._index = None
        self.chars -= _weight(last)

    def redo(self, count: int) -> None:
        """Wrap the last `count` paragraphs anew: their text or lead has been changed."""
        count = min(count, len(self.paragraphs))
        changed = list(islice(self.paragraphs, len(self.paragraphs) - count, None))
        for _ in changed:
            self.end = self._starts.pop()
        for paragraph in changed:
            paragraph.rows = self._wrapped(paragraph)
            self._starts.append(self.end)
            self.end += len(paragraph.rows)
        self._index = None

    def extend(self, text: str) -> None:
        """More text at the end of the last paragraph."""
        last = self.paragraphs[-1]
        last.text += text
        if not last.rows:  # it is not shown
            self.chars += len(text)
            self._drop()
            return
        start = last.rows.pop()[0]
        fresh = wrap(last.text, max(8, self.width - len(last.lead)), start)
        last.rows += fresh
        self.end += len(fresh) - 1
        self.chars += len(text)
        self._drop()

    def rewrap(self, width: int) -> None:
        """Wrap everything to another width. The numbers of the rows change, the end stays the end."""
        if width == self.width:
            return
        self.width = width
        self._wrap_all()

    def _wrap_all(self) -> None:
        self._starts.clear()
        self._index = None
        row = self.first
        for paragraph in self.paragraphs:
            paragraph.rows = self._wrapped(paragraph)
            self._starts.append(row)
            row += len(paragraph.rows)
        self.end = row

    def window(self, start: int, count: int) -> list[tuple[Paragraph, int]]:
        """The rows `start` to `start + count`, each as its paragraph and the number of its row in there."""
        start = max(start, self.first)
        if not self.paragraphs or start >= self.end:
            return []
        if self._index is None:
            self._index = list(self._starts)
        at = bisect_right(self._index, start) - 1
        found: list[tuple[Paragraph, int]] = []
        skip = start - self._index[at]
        for paragraph in islice(self.paragraphs, at, None):
            for row in range(skip, len(paragraph.rows)):
                if len(found) == count:
                    return found
                found.append((paragraph, row))
            skip = 0
        return found

    def since(self, row: int) -> int:
        """Paragraphs that begin at `row` or behind it."""
        if self._index is None:
            self._index = list(self._starts)
        return len(self._index) - bisect_left(self._index, row)

    def row_of(self, index: int) -> int:
        """The number of the first row of the paragraph at `index`."""
        return self._starts[index]

    def _wrapped(self, paragraph: Paragraph) -> list[tuple[int, int]]:
        if (self.folded and paragraph.folds) or (self.only and paragraph.who not in ("", self.only)):
            return []
        return wrap(paragraph.text, max(8, self.width - len(paragraph.lead)))

    def _drop(self) -> None:
        """Drop the oldest; what came with one event goes together, so that paging can resume before it."""
        seq = -1
        while len(self.paragraphs) > 1 and (self.chars > self.most + self.spare or self.paragraphs[0].seq == seq):
            oldest = self.paragraphs.popleft()
            self._starts.popleft()
            self._index = None
            self.first += len(oldest.rows)
            self.chars -= _weight(oldest)
            seq = oldest.seq or -1


def _weight(paragraph: Paragraph) -> int:
    return len(paragraph.text) + 40  # a short paragraph costs its objects too
