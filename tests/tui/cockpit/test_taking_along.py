"""What a person takes along from the screen: copies, a second study, files."""

import base64
from pathlib import Path

import pytest

from loop.study import events as e
from loop.study.folding import apply
from loop.study.state import Study
from tests.tui.cockpit.cockpits import journal_of, opened, screen, settle
from tui.cockpit import clipboard
from tui.screens.experiment import second_study


async def test_copying_takes_what_is_selected_and_joins_wrapped_lines(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with journal_of(workspace) as journal:
        journal.append(e.Thought(researcher="llm", text="\n" + "long " * 40 + "\nshort\n"), 23)
    sent: list[str] = []
    async with opened(workspace) as (app, pilot):
        monkeypatch.setattr(app._driver, "write", sent.append)
        await pilot.press("v", "k", "k", "k")
        await pilot.pause(0.03)
        assert "4 lines selected" in screen(app)[2]
        await pilot.press("y")
        await pilot.pause(0.03)
        assert app.mind_view.began is None or "OSC 52" in screen(app)[-1]
    copied = base64.b64decode(next(text for text in sent if text.startswith("\x1b]52;")).split(";")[2][:-1]).decode()
    assert copied.splitlines() == [("long " * 40).strip(), "short"]


async def test_copying_from_an_experiment_offers_hash_branch_and_diff(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    async with opened(workspace) as (app, pilot):
        monkeypatch.setattr(app._driver, "write", sent.append)
        app.open_experiment(3)
        for key in ("h", "b"):
            await pilot.press("y", key)
            await pilot.pause(0.03)
        commit = app.known.study.experiments[3].commit
    texts = [base64.b64decode(text.split(";")[2][:-1]).decode() for text in sent if text.startswith("\x1b]52;")]
    there = workspace.parent / f"{workspace.name}-h100-a-from-3"
    tree = f"git -C {workspace} worktree add --detach {there} {(commit or '')[:12]}"
    assert texts == [commit, f"{tree} && looptop -C {there} --tag h100-a-from-3"]


def test_a_second_study_takes_along_what_no_commit_has(tmp_path: Path) -> None:
    study, root = Study(tag="a"), tmp_path / "my project"
    (root / ".venv").mkdir(parents=True)
    (root / "program.md").write_text("")
    study.options = {"researcher": "aider --yes", "budget": 20.0, "experiments": 9, "tag": "a"}
    proposed = e.ExperimentProposed(researcher="r", title="t")
    apply(study, e.Event(1, 0.0, 4, None, proposed))
    study.experiments[4].commit = "c" * 40
    steps = second_study(study, study.experiments[4], root).split(" && ")
    here, there = f"'{root}'", f"'{root}-a-from-4'"
    assert steps == [
        f"git -C {here} worktree add --detach {there} cccccccccccc",
        f"cp {here}/program.md {there}",
        f"ln -sfn '{root}/.venv' '{root}-a-from-4/.venv'",
        f"looptop -C {there} --tag a-from-4 --researcher 'aider --yes' --budget 20s",
    ]


def test_a_second_study_of_a_folder_has_a_worktree_of_the_whole_repository(tmp_path: Path) -> None:
    study, root = Study(tag="a"), tmp_path / "mono" / "packages" / "model"
    root.mkdir(parents=True)
    for name in (".git", ".venv"):
        (tmp_path / "mono" / name).mkdir()
    apply(study, e.Event(1, 0.0, 4, None, e.ExperimentProposed(researcher="r", title="t")))
    study.experiments[4].commit = "c" * 40
    assert second_study(study, study.experiments[4], root).split(" && ") == [
        f"git -C {root} worktree add --detach {tmp_path}/mono-a-from-4 cccccccccccc",
        f"ln -sfn {tmp_path}/mono/.venv {tmp_path}/mono-a-from-4/.venv",
        f"looptop -C {tmp_path}/mono-a-from-4/packages/model --tag a-from-4",
    ]


def test_what_is_too_long_for_osc_52_goes_into_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    sent: list[str] = []
    said = clipboard.copy("ä" * clipboard.LARGEST, sent.append, tmp_path)
    assert not sent and str(tmp_path / "copied.txt") in said
    assert (tmp_path / "copied.txt").read_text() == "ä" * clipboard.LARGEST


@pytest.mark.parametrize(
    ("key", "suffix", "has"),
    [("s", "svg", "<svg"), ("t", "txt", "h100-a"), ("v", "tsv", "commit\tval_bpb"), ("j", "json", '"hypothesis"')],
)
async def test_exporting_writes_a_file_and_says_where(workspace: Path, key: str, suffix: str, has: str) -> None:
    async with opened(workspace) as (app, pilot):
        await pilot.press("e", key)
        await settle(app, pilot)
        (path,) = (workspace / ".looptop" / "exports").iterdir()
        assert path.suffix == f".{suffix}" and has in path.read_text()
        assert "Export" not in path.read_text(), "the question is no part of the picture"
        assert path.name in screen(app)[-1]
        await pilot.press("colon", *"export csv a/b.csv", "enter")
        await settle(app, pilot)
        assert (workspace / "a" / "b.csv").read_text().startswith("id,")
