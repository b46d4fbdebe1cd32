"""What a study has come to, in sentences."""

from loop.reporting import summary
from loop.study import events as e
from loop.study.outcomes import Outcome
from tests.stories import Story


def test_an_experiment_that_was_kept_and_later_discarded_does_not_count_as_kept() -> None:
    story = Story().baseline()
    for number, metric in ((1, 0.9), (2, 0.8)):
        story.propose(number).queue(number).runs(number, [metric]).judge(number, "kept", metric)
    assert summary.sentences(story.study())[0].startswith("2 of 2 experiments kept: val_bpb went from 1 to 0.8")
    story.tell(e.ExperimentJudged(verdict=Outcome.DISCARDED, reason="a person said so", by="ada", metric=0.8), 2)
    story.tell(e.ChampionChanged(commit="1" * 40, metric=0.9), 1)
    assert story.study().verdicts()["kept"] == 1 and story.study().lineage == [0, 1, 2, 1]
    assert summary.sentences(story.study())[0].startswith("1 of 2 experiments kept: val_bpb went from 1 to 0.9")


def test_where_nothing_is_kept_the_noise_is_named() -> None:
    story = Story().baseline().propose(1).queue(1).runs(1, [1.2]).judge(1, "discarded", 1.2)
    assert summary.sentences(story.study())[0].startswith("None of 1 experiments beat the noise")
