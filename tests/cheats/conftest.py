"""Studies that the corpus was proposed to: one a program and a sandbox, all sandboxes side by side, once a session."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from loop.journal import Journal
from loop.runs.log import read_log
from loop.study.experiment import Experiment
from loop.study.folding import FOLDED, fold
from loop.study.state import Study
from loop.workspace import Workspace
from tests.harness.conftest import ROOT, cache  # noqa: F401 - a fixture
from tests.sandbox.cells import KINDS, MARKER, found

SANDBOXES = (*KINDS, "off")

_PREPARE = """
import sys
from pathlib import Path
from loop.sandbox.held_out import HeldOut
print(HeldOut(Path.cwd()).libraries([sys.executable]))
"""


@dataclass(frozen=True)
class Cheated:
    """What has become of the corpus in one sandbox."""

    sandbox: str
    root: Path
    study: Study

    @property
    def confined(self) -> bool:
        return self.sandbox != "off"

    def of(self, name: str) -> Experiment:
        """The experiment that the cheat was."""
        return next(x for x in self.study.experiments.values() if x.title == name)

    def turned_down(self) -> list[str]:
        """Why each thought ended that no experiment came of."""
        with Journal(Workspace(self.root).journal) as journal:
            return [event.body.why for event in journal.read(kinds={"thought_ended"})]  # type: ignore[union-attr]

    def printed(self, name: str) -> str:
        """All that its runs have printed."""
        experiment = self.of(name)
        folders = [Workspace(self.root).run_folder(experiment.id, run) for run in experiment.runs]
        return "".join(read_log(folder, 0).text for folder in folders)

    @property
    def texts(self) -> Path:
        """The cache that the study's supervisor has."""
        return self.root.with_name(f"cache-{self.sandbox}")

    @property
    def called(self) -> bool:
        """Whether anybody was sent an answer."""
        return self.root.with_name(f"called-{self.sandbox}").exists()


def propose(folder: Path, program: Path, text: str, names: Sequence[str], texts: Path | None = None) -> None:
    """Run a study in each sandbox of this machine, all at once, and wait for them.

    Args:
        folder: where they go, a folder each.
        program: where its files are.
        text: program.md.
        texts: a cache of which each gets a copy.
    """
    with ExitStack() as closing:
        studies = []
        for sandbox in SANDBOXES:
            if isinstance(found(sandbox), str):
                continue
            root, own = folder / sandbox, folder / f"cache-{sandbox}"
            shutil.copytree(program, root, ignore=shutil.ignore_patterns("__pycache__"))
            (root / "program.md").write_text(text)
            if texts is not None:
                shutil.copytree(texts, own, symlinks=True, copy_function=os.link)
            home = closing.enter_context(socket.create_server(("127.0.0.1", 0)))
            home.setblocking(False)
            environment = {name: value for name, value in os.environ.items() if not name.startswith("LOOPTOP_")}
            environment |= {"PYTHONPATH": str(ROOT), "LOOPTOP_CACHE": str(own), "OPENAI_API_KEY": f"{MARKER}-{sandbox}"}
            command = [sys.executable, "-P", "-m", "tests.cheats.studies", str(root), sandbox]
            command += [str(home.getsockname()[1]), *names]
            process = closing.enter_context(subprocess.Popen(command, env=environment))
            closing.callback(process.kill)
            studies.append((sandbox, process, home))
        for sandbox, process, home in studies:
            assert process.wait() == 0, sandbox
            try:
                home.accept()[0].close()
                (folder / f"called-{sandbox}").touch()
            except BlockingIOError:
                pass


def corpus(cache: Path) -> Path:  # noqa: F811
    """The session's cache with the text in it, and all that a sandbox shows of the library instead."""
    with FileLock(cache.with_suffix(".lock")):
        environment = {**os.environ, "LOOPTOP_CACHE": str(cache)}
        subprocess.run([sys.executable, "-P", "-c", _PREPARE], env=environment, check=True)
    return cache


def cheated(
    cache: Path,  # noqa: F811
    sandbox: str,
    program: Path,
    text: str,
    names: Sequence[str],
    *,
    texts: bool = False,
) -> Cheated:
    """The study in `sandbox`; all of them are run when the first is asked for, by whichever worker does."""
    if isinstance(why := found(sandbox), str):
        pytest.skip(why)
    folder = cache.with_name(f"cheated-{program.name}")
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            propose(folder, program, text, names, corpus(cache) if texts else None)
    with Journal(Workspace(folder / sandbox).journal) as journal:
        return Cheated(sandbox, folder / sandbox, fold(journal.read(kinds=FOLDED)))
