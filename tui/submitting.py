"""The person's own edit, looked at before they submit it: how large it is, and what it is called if they do not say.

Reads the checkout and the journal's study; changes nothing.
"""

from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from loop import events as e
from loop import submission
from loop.lineage import Lineage, LineageError
from loop.study import Study


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit that can be submitted."""

    wish: e.Submitted
    added: int
    removed: int

    @property
    def words(self) -> str:
        """The files and the size of the change."""
        return f"{', '.join(self.wish.edits)} (+{self.added} -{self.removed})"

    def called(self, title: str, who: str) -> e.Submitted:
        """The wish, ready to be asked."""
        name = " ".join(title.split()) or f"{who}'s edit of {self.words}"
        return self.wish.model_copy(update={"title": name, "who": who})


def look(root: Path, study: Study) -> Edit | str:
    """The edit in the checkout at `root`, or a sentence why there is nothing to submit."""
    try:
        lineage = Lineage(root, study.tag)
        found = submission.look(lineage, study)
        if isinstance(found, str):
            return found
        parent = study.experiments[found.parent].commit or study.base
        added = removed = 0
        for path, text in found.edits.items():
            before = (lineage.read(parent, path) or b"").decode("utf-8", "replace").splitlines()
            after = text.splitlines()
            for what, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
                if what != "equal":
                    removed, added = removed + b - a, added + d - c
        return Edit(found, added, removed)
    except LineageError as error:
        return str(error)
