"""What runs must not read of the default harness: the validation text, and the files it was made of.

The text is built here, by the interpreters that runs and verifications start with and before any run could want it:
inside its sandbox a run can neither read all of it nor write it down. Whether a study needs it, the program says. What
is hidden and what cannot be, `docs/trust.md` tells.
"""

import logging
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from loop.harness import cache_folder
from loop.sandbox import stdlib_mask
from loop.sandbox.project_python import uses_harness
from loop.study.contract import Contract

log = logging.getLogger(__name__)

LONGEST_BUILD = 120.0
"""Seconds to wait for a corpus; 3 on a fast disk."""

OTHER_PYTHONS = ("/usr/lib/python3.*", "/usr/local/lib/python3.*")
"""Where a system keeps its own Pythons: nearly the same text as any other of their years."""

_BUILD = """
import sysconfig
from loop.harness import corpus
print(corpus.build(corpus.standard_library()))
print(sysconfig.get_path("stdlib"))
"""


@dataclass(frozen=True)
class Library:
    """One interpreter's standard library, and the corpus made of it."""

    folder: Path
    corpus: Path
    hidden: tuple[Path, ...]
    """Files and folders of the validation text that Python can do without."""
    veiled: Path | None
    """The library without the text of those; None where there is no room for it."""

    @property
    def training(self) -> Path:
        return self.corpus / "train"

    @property
    def validation(self) -> Path:
        return self.corpus / "validation" / "text.bin"


class HeldOut:
    """The texts of one study's interpreters, each looked up once. Blocks for seconds at first: call it in a thread."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._libraries: dict[str, Library | None] = {}

    def wanted(self, contract: Contract) -> bool:
        """Whether the study uses the default harness at all."""
        return uses_harness(contract, self._root)

    def libraries(self, pythons: Iterable[str]) -> list[Library]:
        """The libraries of those of `pythons` that have the harness; one that has not needs no text."""
        found = []
        for python in pythons:
            if python not in self._libraries:
                self._libraries[python] = self._build(python)
            found.append(self._libraries[python])
        return list({library.folder: library for library in found if library is not None}.values())

    def others(self, libraries: Iterable[Library]) -> list[Path]:
        """Standard libraries of other Pythons of this system."""
        ours = {library.folder.resolve() for library in libraries}
        found = [path for pattern in OTHER_PYTHONS for path in Path("/").glob(pattern.lstrip("/")) if path.is_dir()]
        return [path for path in found if path.resolve() not in ours and (path / "os.py").exists()]

    def _build(self, python: str) -> Library | None:
        """Build the interpreter's corpus, with the harness of the person's checkout or the installed one."""
        try:
            said = subprocess.run(
                [python, "-c", _BUILD], capture_output=True, text=True, timeout=LONGEST_BUILD, cwd=self._root
            )
            corpus, folder = map(Path, said.stdout.splitlines()[-2:])
            names = (corpus / "validation" / "files.txt").read_text(errors="surrogateescape").splitlines()
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            log.warning("%s has no corpus: %s", python, error)
            return None
        hidden = stdlib_mask.hideable(folder, names)
        return Library(folder, corpus, tuple(hidden), _drawn(folder, corpus, hidden))


def _drawn(folder: Path, corpus: Path, hidden: list[Path]) -> Path | None:
    target = cache_folder() / "veiled" / corpus.name
    if not target.exists():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            stdlib_mask.draw(folder, frozenset(hidden), target)
        except OSError as error:
            log.warning("%s cannot be copied: %s", folder, error)
            return None
    return target
