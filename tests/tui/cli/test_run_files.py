"""`looptop show N --files`: what runs have left, wherever they ran."""

import json
from pathlib import Path

from typer.testing import CliRunner

from loop.journal import Journal
from loop.study.folding import FOLDED, fold
from loop.study.outcomes import Outcome
from loop.workspace import Workspace
from tests.recorded import record
from tests.repositories import make_repository
from tui.cli.main import app


def call(root: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["-C", str(root), "show", *words])
    return result.exit_code, result.output + str(result.exception or "")


def test_the_files_of_what_was_kept_are_listed_and_others_say_why_not(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "project")
    (root / ".looptop").mkdir(exist_ok=True)
    record(root / ".looptop" / "journal.db", experiments=12, live=False)
    with Journal(root / ".looptop" / "journal.db") as journal:
        study = fold(journal.read(kinds=FOLDED))
    champion = study.best
    assert champion is not None
    out = Workspace(root).run_folder(champion.id, 1) / "out"
    (out / "deep").mkdir(parents=True)
    (out / "model.bin").write_bytes(b"x" * 3_000_000)
    (out / "deep" / "a\x1b[2Jb").write_bytes(b"y" * 10)
    (out / "elsewhere").symlink_to("/etc")
    code, said = call(root, str(champion.id), "--files")
    assert code == 0 and f"  2.9 MB  {out / 'model.bin'}\n" in said
    assert "\x1b" not in said and "/etc/" not in said
    code, said = call(root, str(champion.id), "--files", "--json")
    sizes = {Path(one["path"]).name: (one["run"], one["bytes"]) for one in json.loads(said)}
    assert code == 0 and sizes["model.bin"] == (1, 3_000_000) and sizes["a\x1b[2Jb"] == (1, 10)
    discarded = next(x for x in study.experiments.values() if x.verdict == Outcome.DISCARDED)
    code, said = call(root, str(discarded.id), "--files")
    assert code == 1 and "was not kept, and what its runs wrote was deleted with the verdict" in said
    assert call(root, str(discarded.id), "--files", "--json") == (0, "[]\n")
