"""Placebos: seals, draws, and what their rate says."""

from loop.policy import placebos
from loop.study import events as e
from loop.study.contract import Contract
from tests.stories import Story


def test_a_seal_tells_the_two_kinds_apart_for_who_has_the_secret_only() -> None:
    opener = placebos.nonce(b"s", 7)
    sealed = placebos.seal(opener, 7, True)
    assert placebos.is_placebo(b"s", 7, sealed) and not placebos.is_placebo(b"s", 8, sealed)
    assert not placebos.is_placebo(b"t", 7, sealed) and not placebos.is_placebo(
        b"s", 7, placebos.seal(opener, 7, False)
    )


def test_about_so_many_are_drawn_as_the_program_says_and_none_in_a_short_or_an_older_study() -> None:
    drawn = sum(placebos.draw(b"s", number) < 0.02 for number in range(5000))
    assert 70 <= drawn <= 130
    story = Story(Contract(verify=None, placebos=0.5)).baseline()
    for number in range(1, 12):
        story.propose(number)
    assert placebos.is_owed(story.study(), b"s")
    silent = story.study()
    silent.contract, silent.rules = Contract(verify=None), 1
    assert placebos.share(silent) == 0.02 and not placebos.is_owed(silent, b"s")
    assert placebos.share(Story().baseline().study()) == 0, "it began before there were any"


def test_the_rate_has_the_interval_of_clopper_and_pearson() -> None:
    none, one, all_ = placebos.measured(0, 14, 0.01), placebos.measured(1, 20, 0.01), placebos.measured(3, 3, 0.01)
    assert (round(none.low, 3), round(none.high, 3)) == (0.0, 0.232) and none.holds
    assert (round(one.low, 4), round(one.high, 4)) == (0.0013, 0.2487) and one.holds
    assert (round(all_.low, 3), all_.high) == (0.292, 1.0) and not all_.holds


def test_what_was_not_sealed_so_does_not_count() -> None:
    story = Story().baseline()
    proposed = e.ExperimentProposed(researcher="r", title="t", parent=0, seal=placebos.seal("n", 1, True))
    story.tell(proposed, 1).queue(1).runs(1, [1.0]).judge(1, "discarded", 1.0)
    assert placebos.rate(story.tell(e.PlaceboOpened(nonce="x", kept=False), 1).study()) is None
    found = placebos.rate(story.tell(e.PlaceboOpened(nonce="n", kept=False), 1).study())
    assert found is not None and (found.kept, found.judged) == (0, 1)
