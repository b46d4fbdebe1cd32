"""Two changes of a text go together unless they change the same line."""

from hypothesis import given
from hypothesis import strategies as st

from loop.policy.line_merge import merge, moved

TEXT = (
    "import os\n\nDEPTH = 4  # layers\nWIDTH = 64\n\n\ndef main():\n    for step in range(10):\n        train(step)\n"
)


def test_a_change_is_made_to_another_text_where_the_two_go_together() -> None:
    change = TEXT.replace("DEPTH = 4", "DEPTH = 6")
    other = TEXT.replace("range(10)", "range(20)").replace("import os\n", "import os\nimport sys\n")
    assert merge(TEXT, other, change) == (other.replace("DEPTH = 4", "DEPTH = 6"), [])
    assert merge(TEXT, change, change) == (change, []), "it has the change already"
    assert merge("", "", "a\n") == ("a\n", []) and merge("a\n", "c\na\n", "a\nb\n") == ("c\na\nb\n", [])
    beside = TEXT.replace("WIDTH = 64", "WIDTH = 32")
    assert merge(TEXT, beside, change) == (beside.replace("DEPTH = 4", "DEPTH = 6"), []), "the line below was changed"
    apart = TEXT.replace("DEPTH = 4", "DEPTH = 5")
    assert merge(TEXT, apart, change) == (apart, ["-DEPTH = 4  # layers\n+DEPTH = 6  # layers"])
    both = change.replace("train(step)", "train(2 * step)")
    assert merge(TEXT, apart, both)[0] == apart.replace("train(step)", "train(2 * step)"), "the rest is made"


@given(st.text("ab\n", max_size=30), st.text("ab\n", max_size=30), st.text("ab\n", max_size=30))
def test_a_merge_with_one_side_unchanged_is_the_other(base: str, ours: str, theirs: str) -> None:
    assert merge(base, base, theirs) == (theirs, []) and merge(base, ours, base) == (ours, [])
    assert merge(base, ours, ours) == (ours, [])
    merged, clashes = merge(base, ours, theirs)
    assert clashes or len(merged) <= len(base) + len(ours) + len(theirs)


LINES = [f"name_{number} = 0" for number in range(8)]


def changed(changes: dict[int, list[str]]) -> str:
    return "\n".join(line for at, was in enumerate(LINES) for line in changes.get(at, [was]))


@given(st.data())
def test_changes_of_different_lines_go_together_however_near_they_are(data: st.DataObject) -> None:
    lines = data.draw(st.permutations(range(len(LINES))))
    cut, many = sorted(data.draw(st.lists(st.integers(0, len(LINES)), min_size=2, max_size=2)))
    values = {at: data.draw(st.integers(1, 9)) for at in lines}
    mine = {at: [f"name_{at} = {values[at]}"] for at in lines[:cut]}
    new = {at: [f"name_{at} = {values[at]}"] for at in lines[cut:many]}
    both = changed(mine | new)
    assert merge("\n".join(LINES), changed(mine), changed(new)) == (both, [])
    assert merge("\n".join(LINES), changed(new), changed(mine)) == (both, [])


@given(st.integers(0, 7), st.integers(0, 7), st.booleans())
def test_the_same_line_does_not_and_ours_stands(at: int, other: int, grows: bool) -> None:
    mine = {at: [f"name_{at} = 1"]}
    new = {at: [f"name_{at} = 2", *(["more = 3"] if grows else [])], **({} if other == at else {other: ["else = 4"]})}
    merged, clashes = merge("\n".join(LINES), changed(mine), changed(new))
    assert f"name_{at} = 1" in merged and f"name_{at} = 2" not in merged
    assert any(f"-name_{at} = 0" in clash and f"+name_{at} = 2" in clash for clash in clashes)


def test_lines_that_both_add_in_one_place_do_not_go_together() -> None:
    base = "a\nb\n"
    assert merge(base, "a\nx\nb\n", "a\ny\nb\n") == ("a\nx\nb\n", ["+y"])
    assert merge(base, "a\nx\nb\n", "a\nx\nb\n") == ("a\nx\nb\n", [])
    assert merge(base, "A\nx\nb\n", "a\ny\nb\n")[1], "the line above grew there"
    assert merge(base, "A\nb\n", "a\ny\nb\n") == ("A\ny\nb\n", [])
    assert merge(base, "b\n", "a\nB\n") == ("B\n", []), "the line above is gone"
    assert merge(base, "b\n", "A\nb\n")[1], "the line itself is"


def test_a_change_of_files_moves_whole_or_not_at_all() -> None:
    base, champion = {"a": "1\n2\n3\n"}, {"a": "1\n9\n3\n"}
    assert moved(champion, base, {"a": "1\n2\n4\n"}) == {"a": "1\n9\n4\n"}
    assert moved(champion, base, {"a": "1\n8\n3\n"}) is None, "another value for the same line"
    assert moved(champion, base, {"a": "1\n9\n3\n"}) == {}, "it is there already"
    assert moved(champion, base, {"a": "1\n2\n3\n", "b": "new"}) == {"b": "new"}
    assert moved(champion, {**base, "b": "old"}, {"b": "new"}) is None, "what it changes is not there"
