"""What can be typed after `:`: understood, completed, or refused in a sentence."""

import pytest

from loop.journal import Journal
from loop.study.folding import FOLDED, fold
from loop.study.state import Study
from tests.recorded import record
from tui.model.commands import COMMANDS, CommandError, completions, hint, parse


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    path = tmp_path_factory.mktemp("commands") / "journal.db"
    record(path, experiments=20)
    with Journal(path) as journal:
        return fold(journal.read(kinds=FOLDED))


@pytest.mark.parametrize(
    ("line", "name", "number", "text"),
    [
        ("pause", "pause", None, ""),
        ("  steer  try wider  ", "steer", None, "try wider"),
        ("kill", "kill", None, ""),
        ("kill 21", "kill", 21, ""),
        ("reject 3 too bold for me", "reject", 3, "too bold for me"),
        ("reject too bold", "reject", None, "too bold"),
        ("keep 4", "keep", 4, ""),
        ("show champion", "show", 18, ""),
        ("diff 3", "diff", 3, ""),
        ("log", "log", None, ""),
        ("view experiments", "view", None, "experiments"),
        ("export svg some where.svg", "export", None, "svg some where.svg"),
        ("th dark", "theme", None, "dark"),
        ("q", "detach", None, ""),
    ],
)
def test_lines_that_are_understood(study: Study, line: str, name: str, number: int | None, text: str) -> None:
    command = parse(line, study)
    assert (command.spec.name, command.number, command.text) == (name, number, text)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("pauze", ("'pauze'", "did you mean pause")),
        ("xyz", ("no command 'xyz'",)),
        ("re", ("resume", "reject", "requeue")),
        ("keep", ("number of an experiment",)),
        ("keep 99", ("no experiment 99", "0 to 21")),
        ("requeue 3 because", ("requeue takes N",)),
        ("view side", ("runs, researchers, experiments",)),
        ("steer", ("steer takes [!]WORDS",)),
        ("pause now", ("takes nothing",)),
    ],
)
def test_lines_that_are_not(study: Study, line: str, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as refused:
        parse(line, study)
    assert all(word in str(refused.value) for word in words), refused.value


def test_every_completion_is_understood_or_goes_on(study: Study) -> None:
    for spec in COMMANDS:
        assert spec.name + (" " if spec.takes else "") in completions(spec.name[:2], study)
        for line in completions(f"{spec.name} ", study):
            assert parse(line, study).spec is spec


def test_numbers_are_those_the_command_makes_sense_for(study: Study) -> None:
    best = study.champion
    assert completions("discard ", study) == [f"discard {best}"]
    assert completions("kill ", study) == ["kill 21"]
    for line in completions("keep ", study):
        found = study.experiments[int(line.split()[1])]
        assert found.verdict == "discarded" and found.parent == best
    assert completions("approve ", study) == []


def test_the_hint_says_what_follows_and_which_experiment_is_meant(study: Study) -> None:
    assert "light" in hint("theme ", study) and "WORDS" in hint("steer", study)
    assert hint("show 3", study) == study.experiments[3].title
    assert "pause" in hint("p", study) and "program" in hint("p", study)
