"""The table of outcomes: one row says all there is to say of one, and nothing else lists them."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from loop.study import codec, outcomes
from loop.study import events as e
from loop.study.outcomes import VERDICTS, Outcome, of_check
from tui.render.glyphs import ASCII, UNICODE, WORDS
from tui.render.palette import PALETTES
from tui.render.text import cells

ROOT = Path(outcomes.__file__).parents[2]

ROWS = """
    SET_ASIDE = "set_aside", "was set aside", "", "", As.RUN, "", "discarded"
    PARKED = "parked", "was parked", "‖P", "killed", As.VERDICT
"""

WITH_THEM = '''
"""Everything that reads the table, with two rows more."""

import importlib.util
import sys

spec = importlib.util.spec_from_file_location("loop.study.outcomes", sys.argv[1])
module = sys.modules["loop.study.outcomes"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

from loop.lineage import verdict_note
from loop.lineage.message import compose_note, read_note
from loop.policy.standing import standing
from loop.study import codec
from loop.study import events as e
from tests.stories import Story
from tui.cli import status_text
from tui.render.glyphs import ASCII, UNICODE, WORDS
from tui.render.palette import PALETTES
from tui.screens.help import signs

early = codec.decode('{"kind": "run_finished", "outcome": "set_aside", "reason": "far behind"}')
assert codec.decode(codec.encode(early)) == early
story = Story().baseline().propose(1).queue(1).start(1, 1).tell(early, 1, 1)
experiment = story.study().experiments[1]
assert standing(story.study(), experiment) == ("discarded", "set aside: far behind")
assert len(experiment.counted()) == 1 and experiment.runs[1].metric is None

story.judge(1, "parked")
experiment = story.study().experiments[1]
assert story.study().verdicts()["parked"] == 1
assert (UNICODE.of(experiment), ASCII.of(experiment)) == (("‖", "parked", "parked"), ("P", "parked", "parked"))
assert any("parked" in text for line in signs(UNICODE, 80) for text, _ in line)
assert all(palette.style("parked") == palette.style("killed") for palette in PALETTES.values())
assert any("‖ 1 parked" in line for line in status_text.status_lines(story.study(), None, 2000.0))
note = verdict_note.read(read_note(compose_note(verdict_note.write(story.contract, experiment))))
assert note.verdict.verdict == "parked"
'''


def test_an_outcome_is_added_by_a_row(tmp_path: Path) -> None:
    table = Path(outcomes.__file__).read_text()
    (tmp_path / "outcomes.py").write_text(table.replace('\n    KEPT = "kept"', ROWS + '\n    KEPT = "kept"'))
    (tmp_path / "reads.py").write_text(WITH_THEM)
    command = [sys.executable, str(tmp_path / "reads.py"), str(tmp_path / "outcomes.py")]
    done = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def uses(name: str) -> set[str]:
    """Modules of the product that have an outcome's name as a text, or its row by name."""
    found = set()
    for path in [*ROOT.glob("loop/**/*.py"), *ROOT.glob("tui/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            text = isinstance(node, ast.Constant) and node.value == name
            row = isinstance(node, ast.Attribute) and node.attr == name.upper()
            if text or row:
                found.add(str(path.relative_to(ROOT)))
    return found


def test_no_other_module_lists_the_outcomes() -> None:
    assert uses("timed_out") == {
        "loop/study/outcomes.py",
        "loop/runs/local/process.py",
        "loop/pipeline/scratch_run.py",  # ends each of its runs itself
        "loop/runs/outcome.py",  # names the key for programs that never stop
    }
    assert uses("out_of_memory") == {
        "loop/study/outcomes.py",
        "loop/runs/local/process.py",
        # What is said or done about memory in particular:
        "loop/pipeline/dispatcher.py",
        "loop/researchers/briefing/row.py",
        "loop/researchers/briefing/situation.py",
        "loop/runs/local/machine_faults.py",
        "loop/runs/local/run.py",
        "loop/runs/outcome.py",
    }


def test_in_the_journal_an_outcome_is_its_name() -> None:
    assert '"outcome":"out_of_memory"' in codec.encode(e.RunFinished(outcome=Outcome.OUT_OF_MEMORY))
    assert codec.decode('{"kind":"run_finished","outcome":"lost"}').outcome is Outcome.LOST  # type: ignore[union-attr]
    assert isinstance(e.ExperimentJudged(verdict="kept", reason="").verdict, Outcome)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        '{"kind":"run_finished","outcome":"kept"}',
        '{"kind":"run_finished","outcome":"of a newer version"}',
        '{"kind":"experiment_judged","reason":"","verdict":"finished"}',
        '{"kind":"experiment_judged","reason":"","verdict":"lost"}',
        '{"kind":"experiment_judged","reason":"","verdict":"KEPT"}',
    ],
)
def test_no_run_ends_as_kept_and_no_experiment_is_judged_as_lost(text: str) -> None:
    with pytest.raises(ValidationError):
        codec.decode(text)


def test_what_the_outcomes_count_as() -> None:
    broken = ["crashed", "out_of_memory", "no_metric"]
    assert [outcome for outcome in Outcome if outcome.is_failure] == [*broken, "timed_out"]
    assert [outcome for outcome in Outcome if outcome.is_broken] == broken
    assert [outcome for outcome in Outcome if outcome.has_number] == ["finished", "kept", "discarded"]
    assert [outcome for outcome in Outcome if outcome.is_lost] == ["lost"]
    passed_on = ["crashed", "out_of_memory", "no_metric", "timed_out", "killed", "discarded"]
    assert [outcome.decides for outcome in Outcome if outcome.decides] == passed_on
    assert of_check("causal") == Outcome.REJECTED


def test_every_verdict_has_a_sign_of_its_own_a_word_and_a_colour() -> None:
    for glyphs in (UNICODE, ASCII):
        drawn = [glyphs.state[verdict] for verdict in VERDICTS]
        assert len(set(drawn)) == len(drawn) and all(cells(sign) == 1 for sign in drawn)
    assert all(ASCII.state[verdict].isascii() for verdict in VERDICTS)
    assert [WORDS[verdict] for verdict in VERDICTS if "_" in verdict] == ["out of memory", "no number", "timed out"]
    for palette in PALETTES.values():
        assert {verdict.role for verdict in VERDICTS} <= palette.roles.keys()
        assert palette.style("timed_out") == palette.style("killed")
