"""A bounded stream of paragraphs, wrapped to a width: the memory behind the mind and the log.

Pure data, no screen. Rows are numbered for ever: row 0 is the first that was ever there, and dropping old paragraphs
renames nothing, so a person who has scrolled up keeps their place while new text arrives. Appending to the last
paragraph re-wraps its last row only; a new width wraps everything again, at about a microsecond a row.
"""

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from itertools import islice

from tui.text import wrap


@dataclass(slots=True)
class Paragraph:
    """One logical line. `lead` stands before its first row, and later rows are indented by as much."""

    kind: str
    text: str
    lead: str = ""
    right: str = ""
    """Something for the right end of the first row, such as the time."""
    rows: list[tuple[int, int]] = field(default_factory=list)


class Ring:
    """The newest paragraphs of a stream.

    Args:
        most: characters kept; the oldest paragraphs go first.
    """

    def __init__(self, most: int = 600_000, width: int = 80) -> None:
        self.most, self.width = most, width
        self.paragraphs: deque[Paragraph] = deque()
        self._starts: deque[int] = deque()
        """Row number at which each paragraph begins."""
        self._index: list[int] | None = None
        self.chars = 0
        self.first = 0
        """Number of the oldest row that is still there."""
        self.end = 0
        """Number behind the newest row."""

    def __len__(self) -> int:
        """Rows there are."""
        return self.end - self.first

    def clear(self) -> None:
        """Forget everything, but not the numbering."""
        self.paragraphs.clear()
        self._starts.clear()
        self._index = None
        self.chars, self.first = 0, self.end

    def add(self, paragraph: Paragraph) -> None:
        """A new paragraph at the end."""
        paragraph.rows = wrap(paragraph.text, self._room(paragraph))
        self.paragraphs.append(paragraph)
        self._starts.append(self.end)
        self._index = None
        self.end += len(paragraph.rows)
        self.chars += len(paragraph.text) + 40  # a short paragraph costs its objects too
        self._drop()

    def extend(self, text: str) -> None:
        """More text at the end of the last paragraph."""
        last = self.paragraphs[-1]
        last.text += text
        start = last.rows.pop()[0]
        fresh = wrap(last.text, self._room(last), start)
        last.rows += fresh
        self.end += len(fresh) - 1
        self.chars += len(text)
        self._drop()

    def rewrap(self, width: int) -> None:
        """Wrap everything to another width. The numbers of the rows change, the end stays the end."""
        if width == self.width:
            return
        self.width = width
        self._starts.clear()
        self._index = None
        row = self.first
        for paragraph in self.paragraphs:
            paragraph.rows = wrap(paragraph.text, self._room(paragraph))
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

    def row_of(self, index: int) -> int:
        """The number of the first row of the paragraph at `index`."""
        return self._starts[index]

    def _room(self, paragraph: Paragraph) -> int:
        return max(8, self.width - len(paragraph.lead))

    def _drop(self) -> None:
        while self.chars > self.most and len(self.paragraphs) > 1:
            oldest = self.paragraphs.popleft()
            self._starts.popleft()
            self._index = None
            self.first += len(oldest.rows)
            self.chars -= len(oldest.text) + 40
