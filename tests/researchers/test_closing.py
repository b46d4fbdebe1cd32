"""An agent's closing lines: read however they are marked up, and told from an echo of the briefing."""

import textwrap

from loop.researchers.briefing.instructions import COMMAND_END
from loop.researchers.closing import closing, title_of
from loop.researchers.protocol import Closing
from tests.researchers.agents.streams import listen


def test_the_closing_lines_are_read_however_they_are_marked_up() -> None:
    said = closing(
        "title: an old one\n\nI did it.\n\n"
        "- **Title:** Wider model\n"
        "* `hypothesis`: more capacity: it underfits\n"
        "### Expected: -0.01\n"
        "1. **Note**: depth costs time\n"
        "NOTES: so does width\n"
        "note: depth costs time\n"
    )
    assert said == Closing("Wider model", "more capacity: it underfits", "-0.01", ("depth costs time", "so does width"))


def test_an_echoed_briefing_and_bare_talk_are_no_closing_lines() -> None:
    assert closing("title: <what you changed>\nhypothesis: ...\nnote: [what you learnt]\ntitle:\n") == Closing()
    assert closing("The title of the plot: nothing\nsubtitle: x\n") == Closing()
    assert closing("title: early\n" + "line\n" * 100) == Closing()


def test_without_a_title_the_change_gives_one() -> None:
    before = {"train.py": "A = 1\nB = 2\n"}
    assert title_of(before, {"train.py": "A = 1\nB = 3\n"}) == "B = 3"
    assert title_of(before, {"train.py": "A = 1\n"}) == "without B = 2"
    assert title_of(before, {"train.py": "A = 1\n\nB = 2\n"}) == "change train.py"
    assert title_of({}, {"other.txt": "new\n"}) == "new"


def test_a_template_that_is_echoed_says_nothing_even_if_it_is_wrapped() -> None:
    assert closing(COMMAND_END) == Closing()
    wrapped = "\n".join(textwrap.wrap(COMMAND_END.replace("\n", " \n "), 60, replace_whitespace=False))
    assert closing(wrapped) == Closing()
    assert closing(f"{COMMAND_END}\n\ntitle: wider\n").title == "wider"
    assert closing("title: what changes is the width").title == "what changes is the width"


def test_a_line_that_was_wrapped_is_whole_again() -> None:
    hypothesis = "a smaller learning rate lies nearer to the minimum of the loss, since the loss is a bowl in log LR"
    for width in (72, 80):
        text = "\n".join(textwrap.wrap(f"hypothesis: {hypothesis}", width)) + "\nexpected: 0.3\n\nI am done."
        assert closing(text) == Closing(hypothesis=hypothesis, expected="0.3")
    assert closing("note: LR matters\nLet me know!").notes == ("LR matters",)


def test_code_in_a_line_keeps_its_backticks() -> None:
    assert closing("note: `LR` matters to `b`").notes == ("`LR` matters to `b`",)
    assert closing("title: `LR = 0.2`").title == "LR = 0.2"
    assert closing("**title: wider**").title == "wider"


def test_closing_lines_that_are_printed_twice_are_shown_once() -> None:
    message = b"I made it wider.\ntitle: wider\nhypothesis: more room\n"
    words, _, _, final = listen(message + b"tokens used\n1,234\n" + message)
    assert words.count("title: wider") == words.count("hypothesis: more room") == 1
    assert closing(final) == Closing("wider", "more room")
