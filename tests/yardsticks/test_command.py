"""`looptop bench` refuses in a sentence what it cannot do."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from loop.errors import UserError
from loop.lineage import init_repository
from tui.cli.main import app


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--problems", "moon"), "there is no problem 'moon'"),
        (("--methods", "nobody-at-all"), "called 'nobody-at-all'"),
        (("--methods", ","), "a list is empty"),
        (("--methods", "llm+llm"), "names a researcher twice"),
        (("--slots", "0"), "no number of slots from 1 to 64"),
        (("--out", "program.md"), "is a file"),
        (("--problems", ".", "--methods", "llm", "--quick"), "knows our own problems only"),
    ],
)
def test_it_refuses_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program.md").write_text("---\nedit: train.py\n---\n")
    (tmp_path / "train.py").write_text("print('val_bpb: 1.0')\n")
    init_repository(tmp_path, [tmp_path / "program.md", tmp_path / "train.py"])
    done = CliRunner().invoke(app, ["bench", *words])
    assert isinstance(done.exception, UserError) and why in str(done.exception)
    assert not (tmp_path / "looptop-bench").exists()
