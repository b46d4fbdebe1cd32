"""The mind's stream: what events become, folding finished thoughts, and older text paged in without a seam."""

import asyncio
import time
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.study import events as e
from loop.study.events import Event
from loop.study.state import Study
from tests.recorded import record
from tui.model.feed import Feed
from tui.model.text_buffer import TextBuffer
from tui.model.transcript import MIND, Transcript, paragraphs_of
from tui.model.view_state import ViewState
from tui.widgets.mind import code_role, thought_line


def tell(*bodies: e.Body, buffer: TextBuffer | None = None) -> TextBuffer:
    story = Transcript(Study(), buffer)
    for seq, body in enumerate(bodies, 1):
        story.tell(Event(seq, 1_000_000.0 + seq, 7, None, body))
    return story.buffer


def think(text: str) -> e.Thought:
    return e.Thought(researcher="llm", text=text)


PROPOSAL = e.ExperimentProposed(researcher="llm", title="wider", hypothesis="more room")


def test_pieces_join_and_lines_part() -> None:
    buffer = tell(think("one "), think("line\nand "), think("another"))
    assert [p.text for p in buffer.paragraphs if p.kind == "thought"] == ["one line", "and another"]


def test_an_agent_s_last_words_and_its_notes_are_said_once() -> None:
    closing = "I widen it.\n\ntitle: wider\nhypothesis: more room\nnote: narrow is worse\nnote: wide is slow\n"
    notes = [e.NoteWritten(researcher="llm", text=text) for text in ("narrow is worse", "wide is slow")]
    buffer = tell(think(closing), *notes, PROPOSAL)
    said = [p.text for p in buffer.paragraphs if p.kind not in ("speaker", "gap")]
    assert said == ["I widen it.", "7  wider", "more room", "noted: narrow is worse", "noted: wide is slow"]


def test_code_between_fences_is_told_apart_and_diffs_in_it_too() -> None:
    buffer = tell(think("see\n```dif"), think("f\n+ new\n- old\n``"), think("`\nafter\n"))
    kinds = [(p.kind, p.text) for p in buffer.paragraphs if p.kind in ("thought", "fence", "code")]
    assert kinds == [
        ("thought", "see"),
        ("fence", "```diff"),
        ("code", "+ new"),
        ("code", "- old"),
        ("fence", "```"),
        ("thought", "after"),
    ]
    assert [code_role(line) for line in ("+ new", "- old", "@@ -1 +1 @@", "x = 1")] == [
        "added",
        "removed",
        "hunk",
        "code",
    ]


def test_what_others_say_and_do_leaves_a_line_each() -> None:
    buffer = tell(
        e.ResearcherJoined(name="automl", about="Optuna's TPE"),
        e.Fault(where="llm", message="no answer", next_at=1_000_060.0),
        e.Recovered(where="llm"),
        e.NoteWritten(researcher="llm", text="depth helps"),
        e.NotebookRewritten(researcher="llm", text="depth helps, width does not"),
        e.Pinned(who="ada", text="leave the data alone"),
        e.Unpinned(who="ada", pin=1),
        e.Unpinned(who="ada"),
        e.Submitted(who="ada", title="wider", parent=3, edits={"train.py": "secret = 1"}),
        e.CheckoutChanged(files=("train.py",), parent=3, lines_added=3, lines_removed=1),
        e.CheckoutChanged(parent=3),
        e.Rehearsed(proof="proven", said="a run uses the experiment's own train.py"),
        e.Branched(who="ada"),
    )
    said = [paragraph.text for paragraph in buffer.paragraphs if paragraph.kind != "gap"]
    again = time.strftime("%H:%M:%S", time.localtime(1_000_060.0))
    assert said == [
        "automl proposes: Optuna's TPE",
        f"llm: no answer (again at {again})",
        "llm works again",
        "noted: depth helps",
        "llm rewrote the notebook in 5 words",
        "leave the data alone",
        "ada: took pin 1 back",
        "ada: took all pins back",
        "ada: submitted “wider”, made on 3",
        "train.py changed in your checkout (+3 -1 on experiment 3): :submit runs it",
        "your checkout is as experiment 3 again",
        "rehearsal: a run uses the experiment's own train.py",
        "ada asked to branch from 7",
    ]


def test_a_trouble_is_told_once_and_its_end_says_how_often_it_was_tried() -> None:
    def fault(message: str) -> e.Fault:
        return e.Fault(where="llm", message=message, next_at=1_000_060.0)

    buffer = tell(*[fault("no answer")] * 3, fault("no money"), fault("no money"), e.Recovered(where="llm"), fault("x"))
    said = [paragraph.text.partition(" (")[0] for paragraph in buffer.paragraphs if paragraph.kind != "gap"]
    assert said == ["llm: no answer", "llm: no money", "llm works again after 5 failed tries", "llm: x"]
    state = ViewState()
    for seq in range(1, 5):
        state.apply([Event(seq, 1_000_000.0 + seq, None, None, fault("no answer"))])
    assert state.news == ["llm: no answer"], "nobody is woken every minute of a night"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a `b` c", "a [`b`] c"),
        ("**b** and `c`", "<b> and [`c`]"),
        ("it is **b**.", "it is <b>."),
        ("## Plan: **go** on", "<Plan: **go** on>"),
        ("### **Plan**", "<Plan>"),
        *(
            (text, text)
            for text in ("`", "``", "** **", "a ** b ` c", "2 ** n ** m", "x**2 + y**2", "#3 kept", "**not yet")
        ),
    ],
)
def test_a_thought_is_shown_without_the_marks_of_what_stands_out(text: str, shown: str) -> None:
    marks = {"text": "{}", "strong": "<{}>", "code": "[{}]"}
    assert "".join(marks[role].format(part) for part, role in thought_line(text, "text", 0, len(text))) == shown


def test_bold_text_is_bold_on_every_row_that_it_takes() -> None:
    text = "so **the whole of it** is bold"
    rows = [thought_line(text, "text", start, end) for start, end in ((0, 8), (9, 14), (14, 30))]
    assert rows == [
        (("so ", "text"), ("the", "strong")),
        (("whole", "strong"),),
        ((" of it", "strong"), (" is bold", "text")),
    ]


def test_what_is_copied_of_a_thought_is_what_was_written() -> None:
    buffer = tell(think("## Plan\n**go**"))
    assert [paragraph.text for paragraph in buffer.paragraphs if paragraph.kind == "thought"] == ["## Plan", "**go**"]


def test_finished_thoughts_fold_to_the_line_of_their_speaker() -> None:
    bodies = [think("a b c\nd e"), e.ToolCalled(researcher="llm", intent="look", result="saw", seconds=1), PROPOSAL]
    buffer = tell(*bodies, think("still thinking"))
    rows = len(buffer)
    buffer.fold(True)
    shown = [paragraph.text for paragraph, _ in buffer.window(buffer.first, 100)]
    assert len(buffer) < rows and "a b c" not in shown and not any("saw" in text for text in shown)
    assert "still thinking" in shown and any("wider" in text for text in shown), "what is not finished stays"
    assert any("words" in paragraph.right for paragraph in buffer.paragraphs if paragraph.kind == "speaker")
    buffer.fold(False)
    assert len(buffer) == rows


def test_a_folded_ring_folds_what_is_finished_later() -> None:
    buffer = TextBuffer()
    buffer.fold(True)
    tell(think("one\ntwo\nthree"), PROPOSAL, buffer=buffer)
    assert not any(paragraph.text == "two" for paragraph, _ in buffer.window(buffer.first, 100))


def test_prepending_keeps_the_place_and_trimming_gives_the_room_back() -> None:
    buffer = TextBuffer(most=4000)
    tell(*[think(f"line {i}\n") for i in range(60)], buffer=buffer)
    first, row = buffer.first, [p.text for p, _ in buffer.window(buffer.first, 3)]
    older = paragraphs_of([Event(1, 0.0, 7, None, think("x\n" * 50))], Study(), buffer.width, False)
    buffer.prepend(older)
    assert buffer.first < first and [p.text for p, _ in buffer.window(first, 3)] == row
    assert buffer.window(buffer.first, 3)[2][0].text == "x"
    before = buffer.chars
    buffer.trim()
    assert buffer.chars <= 4000 < before


def test_paging_back_to_the_beginning_gives_the_whole_journal_once(tmp_path: Path) -> None:
    record(tmp_path / "journal.db", experiments=300)
    with Journal(tmp_path / "journal.db") as journal:
        state = ViewState()
        feed = Feed(journal, state)

        async def past() -> None:
            async for _ in feed.catch_up():
                pass

        asyncio.run(past())
        pages = 0
        while feed.older():
            pages += 1
        paged = [p.text for p in state.mind.paragraphs if p.kind in ("thought", "tool", "proposal", "you", "champion")]
        whole = Transcript(state.study, TextBuffer(most=1 << 60))
        for event in journal.read(kinds=MIND):
            whole.tell(event)
        expected = [
            p.text for p in whole.buffer.paragraphs if p.kind in ("thought", "tool", "proposal", "you", "champion")
        ]
        assert pages > 2
        assert "".join(paged) == "".join(expected), "nothing twice, nothing missing"


# --- several at once, and what they write --------------------------------------------------------------------------


def told(*pieces: tuple[str, int, str, float]) -> TextBuffer:
    """What a transcript makes of pieces of thought: who, about what, the text, and when."""
    transcript = Transcript(Study(), TextBuffer(width=60))
    for seq, (who, number, text, at) in enumerate(pieces, 1):
        transcript.tell(Event(seq, at, number, None, e.Thought(researcher=who, text=text)))
    transcript.release()
    return transcript.buffer


def lines_of(buffer: TextBuffer) -> list[str]:
    return [paragraph.lead + paragraph.text for paragraph in buffer.paragraphs if paragraph.kind != "gap"]


def test_two_that_think_at_once_do_not_cut_each_other_s_lines() -> None:
    pieces = [
        ("a", 1, "the curve ", 0.0), ("b", 2, "wider ", 0.1), ("a", 1, "still ", 0.2), ("b", 2, "heads\n", 0.3),
        ("a", 1, "falls\n", 0.4), ("b", 2, "and fewer", 0.5),
    ]  # fmt: skip
    assert lines_of(told(*pieces)) == ["a  on 1", "the curve still falls", "b  on 2", "wider heads", "and fewer"]


def test_one_that_pauses_in_a_line_gives_way() -> None:
    buffer = told(("a", 1, "the curve ", 0.0), ("b", 2, "wider", 9.0))
    assert lines_of(buffer) == ["a  on 1", "the curve ", "b  on 2", "wider"]


def test_what_was_held_back_comes_before_what_follows_it() -> None:
    transcript = Transcript(Study(), TextBuffer(width=60))
    for seq, (who, text) in enumerate((("a", "one "), ("b", "two ")), 1):
        transcript.tell(Event(seq, 0.1 * seq, seq, None, e.Thought(researcher=who, text=text)))
    transcript.tell(Event(3, 0.4, 2, None, e.ToolCalled(researcher="b", intent="read", result="ok", seconds=0)))
    assert [line.split("  →")[0] for line in lines_of(transcript.buffer)][-2:] == ["two ", "  ▸ read"]


def test_one_researcher_alone_is_shown_with_what_is_nobody_s() -> None:
    buffer = told(("a", 1, "mine\n", 0.0), ("b", 2, "yours\n", 5.0), ("a", 1, "mine too\n", 10.0))
    whole = len(buffer)
    buffer.show_only("b")
    shown = [paragraph.text for paragraph, _ in buffer.window(buffer.first, 99) if paragraph.kind == "thought"]
    assert shown == ["yours"]
    buffer.extend(" and more")
    assert [p.text for p, _ in buffer.window(buffer.first, 99) if p.kind == "thought"] == ["yours"]
    buffer.show_only("")
    assert len(buffer) == whole and buffer.paragraphs[-1].text == "mine too and more"


@pytest.mark.parametrize("pieces", [["- a list item that is so long that it wraps into two rows\n"], list("- ab\n")])
def test_items_of_a_list_hang_behind_their_mark_however_they_come(pieces: list[str]) -> None:
    buffer = told(*(("a", 1, piece, 0.01 * index) for index, piece in enumerate(pieces)))
    item = buffer.paragraphs[-1]
    assert item.lead == "- " and item.text.startswith("a")
    assert buffer.end - buffer.first == sum(len(paragraph.rows) for paragraph in buffer.paragraphs)


def test_the_cells_of_a_table_stand_under_each_other() -> None:
    text = "| run | loss |\n|---|:--:|\n| 31.1 | 2.4 |\nafter\n"
    buffer = told(*(("a", 1, piece, 0.0) for piece in (text[:9], text[9:20], text[20:])))
    rows = [paragraph.text for paragraph in buffer.paragraphs if paragraph.kind == "table"]
    assert rows == ["| run  | loss |", "|------|------|", "| 31.1 | 2.4  |"]
    assert buffer.paragraphs[-1].text == "after"
    assert buffer.end - buffer.first == sum(len(paragraph.rows) for paragraph in buffer.paragraphs)


def test_a_model_s_reasoning_is_not_its_answer() -> None:
    transcript = Transcript(Study(), TextBuffer(width=60))
    for seq, (text, thinking) in enumerate((("hm\n\n", True), ("so be it", False)), 1):
        transcript.tell(Event(seq, 0.0, 1, None, e.Thought(researcher="a", text=text, thinking=thinking)))
    kinds = {paragraph.text: paragraph.kind for paragraph in transcript.buffer.paragraphs}
    assert kinds["hm"] == "thinking" and kinds["so be it"] == "thought"


def test_what_the_proposal_says_again_stands_once() -> None:
    transcript = Transcript(Study(), TextBuffer(width=60))
    text = "It could be the head.\ntitle: a wider head\nhypothesis: more room\n"
    transcript.tell(Event(1, 0.0, 1, None, e.Thought(researcher="a", text=text)))
    before = transcript.buffer.end
    proposed = e.ExperimentProposed(researcher="a", title="a wider head", hypothesis="more room", parent=0)
    transcript.tell(Event(2, 1.0, 1, None, proposed))
    lines = lines_of(transcript.buffer)
    assert lines == ["a  on 1", "It could be the head.", "  1  a wider head", "   more room"]
    assert transcript.buffer.end - transcript.buffer.first == before - 2 + 3, "a gap, title and hypothesis"
    assert sum("wider head" in line for line in lines) == 1


@pytest.mark.parametrize(
    "text",
    ["|---|\n", "||\n|\n||||\n", "| |\n|:-:|x\n", "|" + "w" * 300 + "|\n|a|\n", "-\n1.\n- - -\n", "| a | b\n|-|\n"],
)
def test_half_a_table_or_list_harms_nothing_and_loses_no_word(text: str) -> None:
    for size in (1, 3, len(text)):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        buffer = told(*(("a", 1, piece, 0.0) for piece in pieces), ("a", 1, "end", 0.0))
        shown = "".join(lines_of(buffer))
        assert all(
            word in shown for word in ("end", *text.replace("|", " ").replace("-", " ").replace(":", " ").split())
        )
        assert buffer.end - buffer.first == sum(len(paragraph.rows) for paragraph in buffer.paragraphs)
