"""What a briefing may take: any study fits, what is cut says so, and a new result changes little of it."""

import re
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loop.researchers.briefing.excerpt import tokens, within
from loop.researchers.briefing.experiment_table import table
from loop.researchers.briefing.page import for_command, for_model, notebook_share
from tests.researchers.briefing.pages import LIMIT, TEXTS, numbers
from tests.researchers.history import briefing, contract_of, history


def total(parts):  # type: ignore[no-untyped-def]
    return tokens(parts.stable) + tokens(parts.page)


# --- the size --------------------------------------------------------------------------------------------------


def test_seven_hundred_experiments_fit_and_each_is_named() -> None:
    experiments = history(700, seed=4)
    notes = tuple(f"lesson {n}: a step that costs a tenth less was worth {n / 1000}" for n in range(160))
    assert 0.8 * notebook_share(LIMIT) < tokens("\n".join(notes)) <= notebook_share(LIMIT)
    parts = for_model(briefing(experiments, notebook=notes), LIMIT, "llm")
    assert total(parts) <= LIMIT
    lines = [line.removeprefix("#") for line in parts.page.splitlines()]
    for x in experiments:
        assert any(line.startswith(f"{x.id} {x.title[:50]}") for line in lines), x.title
    for path_text in briefing(experiments).files.values():
        assert path_text in parts.page
    assert notes[0] in parts.page and notes[-1] in parts.page
    assert "for lack of space" not in parts.page


@pytest.mark.parametrize("count", [0, 3, 100, 1000, 2000])
def test_no_number_of_experiments_is_too_many(count: int) -> None:
    experiments = history(count)
    parts = for_model(briefing(experiments), LIMIT, "llm")
    assert total(parts) <= LIMIT
    judged = {x.id for x in experiments if x.verdict is not None}
    if count > 1000:  # then some go, and the text says how many
        gone = re.search(r"^(\d+) experiments are left out for lack of space", parts.page, re.MULTILINE)
        assert gone and int(gone[1]) == len(judged - numbers(parts.page))
    else:
        assert numbers(parts.page) >= judged


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    most=st.integers(-5, 9000),
    title=TEXTS,
    why=TEXTS,
    reason=TEXTS,
    notes=st.lists(TEXTS, max_size=6),
    words=st.lists(TEXTS, max_size=3),
    program=TEXTS,
    files=st.dictionaries(st.sampled_from(["train.py", "b/`c`.py", "d\n.py"]), TEXTS, max_size=3),
    count=st.integers(0, 40),
)
def test_a_briefing_never_takes_more_than_it_is_given(most, title, why, reason, notes, words, program, files, count):  # type: ignore[no-untyped-def]
    experiments = history(count)
    for x in experiments[::2]:
        x.title, x.hypothesis, x.reason, x.expected = title, why, reason, why
    told = briefing(
        experiments, notebook=tuple(notes), words=tuple(words), pins=tuple(words), program=program, files=files
    )
    parts = for_model(told, most, "llm")
    assert total(parts) <= max(0, most)
    assert parts == for_model(told, most, "llm")
    assert tokens(for_command(told)) <= LIMIT
    parts.page.encode()


@given(TEXTS, TEXTS)
def test_the_pieces_of_a_text_count_for_no_less_than_the_whole(one: str, other: str) -> None:
    assert tokens(one + other) <= tokens(one) + tokens(other)
    assert tokens(one) >= len(one.encode("utf-8", "surrogatepass")) / 12


@given(st.text(max_size=3000), st.integers(0, 600))
def test_what_is_cut_says_so_and_fits(text: str, most: int) -> None:
    cut = within(text, most, "read_file shows the rest")
    assert tokens(cut) <= most
    assert cut == text or not cut or "characters left out here; read_file shows the rest]" in cut


def test_a_cut_never_falls_inside_a_line() -> None:
    text = "\n".join(f"#{n} an idea ## Kept: every one of them" for n in range(400))
    for most in range(40, 3000, 7):
        lines = within(text, most, "").splitlines()
        assert [bool(re.fullmatch(r"\[[\d,]+ characters left out here\]", line)) for line in lines].count(True) == 1
        assert len(set(lines) - set(text.splitlines())) == 1


def test_a_file_that_is_too_long_keeps_its_head_and_tail() -> None:
    source = "first = 1\n" + "x = x + 1  # and so on\n" * 20_000 + "last = 2\n"
    parts = for_model(briefing(history(50), files={"train.py": source}), LIMIT, "llm")
    assert total(parts) <= LIMIT
    assert "first = 1\n" in parts.page and "last = 2\n" in parts.page
    assert re.search(r"\[[\d,]+ characters left out here; read_file shows the rest\]", parts.page)


def test_what_finds_no_room_is_named() -> None:
    parts = for_model(briefing(history(30), words=("do less",)), 1100, "llm")
    assert "Left out here for lack of space: " in parts.page
    assert "Propose experiment #31" in parts.page


def test_a_table_without_room_sheds_the_oldest_discarded_first() -> None:
    experiments = history(400, seed=4)
    kept = [x for x in experiments if x.verdict == "kept"]
    whole = table(experiments, contract_of(), 100_000)
    assert all(f"#{x.id} {x.title} | " in whole and x.hypothesis in whole for x in experiments if x.verdict)
    small = table(experiments, contract_of(), 1500)
    assert tokens(small) <= 1500
    assert "experiments are left out for lack of space, the oldest discarded ones first." in small
    assert all(x.id in numbers(small) for x in kept)
    discarded = [x.id for x in experiments if x.verdict == "discarded"]
    assert discarded[0] not in numbers(small)


def test_the_table_keeps_within_its_room_and_uses_it() -> None:
    experiments = history(300, seed=4)
    whole = tokens(table(experiments, contract_of(), 100_000))
    for most in range(24_000, 3000, -500):
        assert 0.4 * min(most, whole) < tokens(table(experiments, contract_of(), most)) <= most


def test_a_table_with_every_row_whole_is_known_to_be_complete() -> None:
    few, many = (for_model(briefing(history(count)), LIMIT, "llm") for count in (40, 300))
    assert few.complete and not many.complete
    assert not for_model(briefing(history(40)), 1100, "llm").complete


def test_one_more_result_is_one_more_row_at_the_end_of_the_table() -> None:
    judged = sorted((x for x in history(240, seed=4) if x.verdict), key=lambda x: x.judged_seq or 0)
    tables = [table(judged[:count], contract_of(), 15_000) for count in range(1, len(judged) + 1)]
    rewritten = [n for n, (old, new) in enumerate(pairwise(tables), 2) if not new.startswith(old)]
    assert len(rewritten) <= 4 and rewritten, "it is folded once in a long while"
    assert all(later - earlier >= 30 for earlier, later in pairwise(rewritten))


# --- what comes first ------------------------------------------------------------------------------------------


def test_the_head_is_the_same_for_a_whole_study() -> None:
    early, late = (for_model(briefing(history(count)), LIMIT, "llm") for count in (3, 300))
    assert early.stable == late.stable
    assert "`train.py`" in early.stable and "lower `val_bpb`" in early.stable


def test_one_more_result_changes_nothing_above_the_table() -> None:
    experiments = history(60)
    before = for_model(briefing(experiments[:-3]), LIMIT, "llm").page
    after = for_model(briefing(experiments[:-2], champion=before_champion(experiments[:-3])), LIMIT, "llm").page
    head = before.index("# All experiments so far")
    assert head > 15_000
    assert after[:head] == before[:head]


def before_champion(experiments):  # type: ignore[no-untyped-def]
    return [x for x in experiments if x.verdict == "kept"][-1]
