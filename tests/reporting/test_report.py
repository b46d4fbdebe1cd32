"""The report: every number on it is the record's, and whatever strangers wrote stays text."""

import re
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.reporting import cost, page
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.folding import FOLDED, fold
from loop.study.state import Study
from tests.recorded import record
from tests.reporting.page import Page, ask
from tests.stories import Story

DIFF = "diff --git a/train.py b/train.py\n--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-A = 1\n+A = 2\n"
HOSTILE = '</pre><script>alert(1)</script> & "quoted" <img src=x onerror=alert(2)> \x1b[31mred'


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, cost.Books]:
    path = tmp_path_factory.mktemp("report") / ".looptop" / "journal.db"
    record(path, experiments=30, gpus=2)
    with Journal(path) as journal:
        study = fold(journal.read(kinds=FOLDED))
        return study, cost.books(study, journal.read(kinds=cost.KINDS))


def html(study: Study, books: cost.Books, diff: str = DIFF) -> str:
    return page.as_html(page.gather(study, books, lambda experiment: diff), books)


def test_every_number_on_the_page_is_the_records(recorded: tuple[Study, cost.Books]) -> None:
    study, books = recorded
    found = Page(html(study, books))
    unknown = []
    for of, value in found.numbers:
        if (known := ask(study, books, of)) is None:
            unknown.append(of)
        else:
            assert value == pytest.approx(known, rel=1e-12, abs=1e-15), of
    # What is reckoned from several numbers is checked on its own.
    assert {re.sub(r"\d+", "N", of) for of in unknown} <= {
        *("experiment.N.low", "experiment.N.high", "study.gain.low", "study.gain.high"),
        *("kind.N.tried", "kind.N.kept", "kind.N.failed", "kind.N.more"),
    }
    told = dict(found.numbers)
    for of in told:
        if of.endswith(".low"):  # an interval lies around what it is of
            middle = ask(study, books, of.replace(".low", ".worth" if of.startswith("experiment") else ""))
            assert middle is not None and told[of] + told[of.replace(".low", ".high")] == pytest.approx(2 * middle)
    assert len(found.numbers) > 200
    for word in re.findall(r"\S*\d\S*", found.prose):
        pytest.fail(f"a number that says not what it is of: {word}")


def test_it_says_the_answer_and_needs_nothing_else(recorded: tuple[Study, cost.Books]) -> None:
    study, books = recorded
    text = html(study, books)
    found = Page(text)
    assert "of each experiment" not in found.prose and "What was kept" in found.prose
    assert not {"script", "link", "img", "iframe"} & set(found.tags)
    assert not re.search(r"https?://|url\(|@import|\bsrc=", text), "nothing is fetched"
    assert found.links <= found.places | {"e0"}, "a link leads somewhere"
    assert len(text.encode()) < 2_000_000
    assert page.as_html(page.gather(study, books, lambda x: DIFF), books) == text, "the same record, the same page"


def test_strangers_words_stay_words() -> None:
    story = Story(Contract(verify=None, report=("peak",))).baseline()
    proposal = e.ExperimentProposed(researcher=HOSTILE, title=HOSTILE, hypothesis=HOSTILE, expected=HOSTILE, parent=0)
    story.tell(proposal, 1).queue(1).runs(1, [0.5])
    judged = e.ExperimentJudged(verdict="kept", reason=HOSTILE, metric=0.5, effect=0.5, flags=(HOSTILE,), champion=0)
    story.tell(judged, 1).tell(e.ChampionChanged(commit="1" * 40, metric=0.5), 1)
    story.tell(e.LessonWritten(researcher="r", text=HOSTILE), 1).tell(e.Noted(who=HOSTILE, text=HOSTILE), 1)
    story.tell(e.ProgramChanged(contract=story.contract, text=f"# {HOSTILE}\n\n{HOSTILE}"))
    study = story.study()
    books = cost.books(study, story.events)
    text = html(study, books, HOSTILE)
    found = Page(text)
    assert text.count("&lt;script&gt;alert(1)") > 8, "it is shown, in its places"
    assert not {"script", "img"} & set(found.tags) and not any(name.startswith("on") for name, _ in found.attributes)
    assert "\x1b" not in text
    markdown = page.as_markdown(page.gather(study, books, lambda x: "```\n" + HOSTILE), books)
    outside = re.sub(r"(?s)````diff.*?````", "", markdown)
    assert "````diff" in markdown and not re.search(r"(?<!\\)<(script|img)", outside)


def test_a_validated_gain_stands_in_the_answer() -> None:
    story = Story(Contract(verify=None)).baseline().propose(1).queue(1).runs(1, [0.9, 0.91, 0.89])
    story.judge(1, "kept", 0.9)
    began = e.ValidationBegan(
        champion=1, seeds=(1, 2), protocol_id=story.contract.protocol_id, commits=("1" * 40, "0" * 40)
    )
    story.tell(began)
    told = {"gain": 0.08, "low": 0.07, "high": 0.09, "champion_metric": 0.92, "baseline_metric": 1.0, "claimed": 0.1}
    story.tell(e.ValidationEnded(champion=1, pairs=2, **told))  # type: ignore[arg-type]
    study = story.study()
    books = cost.books(study, story.events)
    found = Page(html(study, books))
    assert {of: value for of, value in found.numbers if of.startswith("validation.")} == {
        **{f"validation.{name}": value for name, value in told.items()},
        "validation.pairs": 2,
    }
    for of, value in found.numbers:
        if of.startswith("validation."):
            assert ask(study, books, of) == value
    markdown = page.as_markdown(page.gather(study, books, lambda x: ""), books)
    assert "Validated under 2 fresh seeds: better by +0.0800, between +0.0700 and +0.0900" in markdown


def test_an_unfinished_study_has_a_page_too() -> None:
    for story in (
        Story().propose(0).queue(0, None).start(0, 1),
        Story().baseline(),
        Story().baseline().propose(1).queue(1).runs(1, [1.2]).judge(1, "discarded", 1.2),
    ):
        study = story.study()
        books = cost.books(study, story.events)
        assert Page(html(study, books)).prose
        assert page.as_markdown(page.gather(study, books, lambda x: ""), books)


def test_a_long_diff_is_cut_and_says_so(recorded: tuple[Study, cost.Books]) -> None:
    study, books = recorded
    text = html(study, books, DIFF + "".join(f"+line {n}\n" for n in range(20_000)))
    assert "Cut here" in text and len(text.encode()) < 2_000_000


def test_the_interval_holds_the_difference_of_two_means() -> None:
    story = Story(Contract(verify=None)).baseline((1.0, 1.01, 0.99)).propose(1).queue(1).runs(1, [0.9, 0.91, 0.89])
    effect = e.ExperimentJudged(verdict="kept", reason="r", metric=0.9, effect=0.1, noise=0.01, champion=0)
    story.tell(effect, 1).tell(e.ChampionChanged(commit="1" * 40, metric=0.9), 1)
    study = story.study()
    told = page.gather(study, cost.books(study, story.events), lambda x: "").kept[0]
    assert told.interval is not None and told.worth is not None and told.worth.value == pytest.approx(0.1)
    # The first run of what was repeated says nothing of the noise: 0.0002 + 0.0002 over three degrees of freedom, for
    # which Student's t is 3.1824 at 97.5%.
    half = (told.interval.high.value - told.interval.low.value) / 2
    assert half == pytest.approx(3.1824 * (0.0004 / 3) ** 0.5 * (2 / 3) ** 0.5, rel=1e-4)


def test_the_command_writes_it(tmp_path: Path, recorded: tuple[Study, cost.Books]) -> None:
    from typer.testing import CliRunner

    from tui.cli.main import app

    record(tmp_path / ".looptop" / "journal.db", experiments=3)
    target = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["-C", str(tmp_path), "report", "-o", str(target)])
    assert done.exit_code == 0 and Page(target.read_text()).numbers
    printed = CliRunner().invoke(app, ["-C", str(tmp_path), "report", "--md", "-o", "-"])
    assert "### What it cost" in printed.output
    costs = CliRunner().invoke(app, ["-C", str(tmp_path), "cost"])
    assert "the baseline" in costs.output


def test_there_is_nothing_to_report_before_a_baseline(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from tui.cli.main import app

    path = tmp_path / ".looptop" / "journal.db"
    path.parent.mkdir()
    Journal(path, create=True).close()
    refused = CliRunner().invoke(app, ["-C", str(tmp_path), "report"])
    assert refused.exit_code != 0 and "no baseline" in str(refused.exception)


def test_what_each_change_is_worth_today_has_a_section_with_a_chart() -> None:
    story = Story(Contract(verify=None)).baseline()
    for number in (1, 2):
        story.propose(number, number - 1).queue(number, number - 1).runs(number, [1 - number / 10] * 3)
        judged = e.ExperimentJudged(
            verdict="kept", reason="r", metric=1 - number / 10, effect=0.1, champion=number - 1, confidence=0.999
        )
        story.tell(judged, number).tell(e.ChampionChanged(commit=f"{number:040d}", metric=1 - number / 10), number)
    one = e.Worth(changes=(1,), worth=0.15, error=0.02, low=0.1, high=0.2)
    two = e.Worth(changes=(2,), worth=-0.03, error=0.01, low=-0.05, high=-0.01)
    both = e.Worth(changes=(), worth=0.12, error=0.03, low=0.06, high=0.18)
    story.tell(
        e.AblationBegan(
            champion=2, factors=((1,), (2,)), rows=("++",), commits=("a",), seeds=(1,), champion_commit="2",
            protocol_id=story.contract.protocol_id,
        )
    )  # fmt: skip
    ended = e.AblationEnded(
        champion=2, worths=(one, two), runs=16, sd=0.04, dof=9, noise_from="both", together=both, whole=both,
        whole_from="runs",
    )  # fmt: skip
    study = story.tell(ended).study()
    books = cost.books(study, story.events)
    text = html(study, books)
    found = Page(text)
    told = [(of, value) for of, value in found.numbers if of.startswith("ablation.")]
    assert len(told) >= 14 and all(ask(study, books, of) == pytest.approx(value) for of, value in told)
    assert not re.findall(r"\S*\d\S*", found.prose) and found.links <= found.places | {"e0"}
    assert text.count('class="bar ') == 5 and 'class="bar harms"' in text and "looptop without" in text
    markdown = page.as_markdown(page.gather(study, books, lambda x: ""), books)
    assert "### What each is worth today" in markdown and "| 1. idea 1 | +0.150 | +0.100 to +0.200 |" in markdown
    kept = page.gather(study, books, lambda x: "").kept[0]
    assert kept.interval is not None and kept.interval.low.value > 0, "the judge was 99.9% sure"
