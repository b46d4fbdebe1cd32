"""The language of filters: what it takes, what it refuses, and in what order it lists."""

import pytest

from loop.reporting.query import QueryError, chosen
from loop.study import events as e
from loop.study.folding import fold
from loop.study.state import Study
from tests.stories import Story


@pytest.fixture(scope="module")
def study() -> Study:
    story = Story().baseline()
    for number, (verdict, value) in enumerate(
        (("kept", 0.9), ("discarded", 1.2), ("crashed", None), ("discarded", 1.1)), start=1
    ):
        story.propose(number).queue(number)
        story.runs(number, [value] if value else []).judge(number, verdict, value)
    story.tell(e.Spent(researcher="claude", tokens=10, usd=0.25), 2)
    story.tell(e.Spent(researcher="claude", tokens=10), 3)
    story.tell(e.Noted(who="ada", text="Try two seeds."), 4)
    story.tell(
        e.ExperimentProposed(researcher="claude", title="Dropout 0.1", hypothesis="Regularises the head.", parent=1), 5
    )
    return fold(story.events)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", [0, 1, 2, 3, 4, 5]),
        ("is:kept", [0, 1]),
        ("is:crashed", [3]),
        ("is:failed", [3]),
        ("is:open", [5]),
        ("is:proposed", [5]),
        ("is:champion", [1]),
        ("is:discarded metric<1.15", [4]),
        ("metric>=1.1 metric<=1.2", [2, 4]),
        ("metric!=1.1 is:discarded", [2]),
        ("id=3", [3]),
        ("by:CLA", [5]),
        ("dropout HEAD", [5]),
        ("dropout tail", []),
        ("because idea", [0, 1, 2, 3, 4]),
        ("age<2s", [5]),
        ("!is:failed age<9m id>2", [4, 5]),
        ('"regularises the"', [5]),
        ('"the regularises"', []),
        ("time<30s id<3", [1, 2]),
        ("usd>0.1", [2]),
        ("$<1", [2]),
        ("mem>1k", []),
        ("is:noted", [4]),
        ("SEEDS", [4]),
        ("val_bpb<1", [1]),
        ("effect>0", []),
    ],
)
def test_every_part_of_a_filter_has_to_hold(study: Study, text: str, wanted: list[int]) -> None:
    assert [x.id for x in chosen(study, text)] == wanted


def test_the_best_comes_first_and_last_what_has_no_number(study: Study) -> None:
    assert [x.id for x in chosen(study, "", "metric")] == [1, 0, 4, 2, 3, 5]
    assert [x.id for x in chosen(study, "", "metric", reverse=True)] == [2, 4, 0, 1, 3, 5]
    assert [x.id for x in chosen(study, "is:discarded", "id")] == [4, 2]
    assert next(x.id for x in chosen(study, "", "age")) == 5
    assert [x.id for x in chosen(study, "", reverse=True)] == [5, 4, 3, 2, 1, 0]
    assert [x.id for x in chosen(study, "", "by")] == [5, 0, 1, 2, 3, 4]
    assert next(x.id for x in chosen(study, "", "title")) == 5


@pytest.mark.parametrize(
    ("text", "sort", "said"),
    [
        ("is:great", "", "is:great means nothing; there is is:kept"),
        ("efect>1", "", "no experiment has a number 'efect'; there is effect"),
        ("effect>much", "", "'much' is none"),
        ("age<soon", "", "'soon' is no time; write 90s"),
        ("mem>4x", "", "'4x' is no size; write 512M"),
        ("on:12", "", "there is no term on:; there is is:, by: and comparisons"),
        ("", "speed", "no experiment has a number 'speed'"),
    ],
)
def test_what_means_nothing_is_refused_with_what_there_is(study: Study, text: str, sort: str, said: str) -> None:
    with pytest.raises(QueryError) as refusal:
        chosen(study, text, sort)
    assert said in str(refusal.value)
