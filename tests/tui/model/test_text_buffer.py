"""The text behind mind and log."""

from tui.model.text_buffer import Paragraph, TextBuffer


def shown(buffer: TextBuffer, start: int, count: int) -> list[str]:
    return [p.text[slice(*p.rows[row])] for p, row in buffer.window(start, count)]


def test_streamed_pieces_wrap_as_if_they_had_come_at_once() -> None:
    text = "the champion's curve is still falling at the end of the budget " * 5
    streamed, whole = TextBuffer(width=30), TextBuffer(width=30)
    streamed.add(Paragraph("thought", ""))
    for i in range(0, len(text), 7):
        streamed.extend(text[i : i + 7])
    whole.add(Paragraph("thought", text))
    assert shown(streamed, 0, 99) == shown(whole, 0, 99)
    assert len(streamed) == len(whole)


def test_a_new_width_wraps_everything_again() -> None:
    buffer = TextBuffer(width=20)
    for i in range(50):
        buffer.add(Paragraph("thought", f"paragraph {i} " + "word " * 10))
    narrow = len(buffer)
    buffer.rewrap(60)
    assert len(buffer) < narrow
    assert all(len(row) <= 60 for row in shown(buffer, buffer.first, 999))
    buffer.rewrap(20)
    assert len(buffer) == narrow


def test_the_oldest_go_first_and_rows_keep_their_numbers() -> None:
    buffer = TextBuffer(most=4000, width=40)
    for i in range(30):
        buffer.add(Paragraph("thought", f"row {i}"))
    here = shown(buffer, 20, 1)
    for i in range(30, 100):
        buffer.add(Paragraph("thought", f"row {i}"))
    assert 0 < buffer.first <= 20 and buffer.end == 100
    assert here == shown(buffer, 20, 1) == ["row 20"]
    assert shown(buffer, buffer.end - 1, 1) == ["row 99"]


def test_it_never_holds_more_than_it_may() -> None:
    buffer = TextBuffer(most=100_000, width=80)
    buffer.add(Paragraph("thought", "start"))
    for i in range(20_000):
        if i % 20 == 0:
            buffer.add(Paragraph("thought", ""))
        buffer.extend("seven more words to think about now ")
    assert buffer.chars <= 100_000 + 40 * 36 * 20
    assert sum(len(p.text) for p in buffer.paragraphs) <= 100_000


def test_a_window_may_start_in_the_middle_of_a_paragraph() -> None:
    buffer = TextBuffer(width=10)
    buffer.add(Paragraph("a", "one two three four five six"))
    buffer.add(Paragraph("b", "end"))
    assert shown(buffer, 1, 2) == shown(buffer, 0, 9)[1:3]
    assert shown(buffer, buffer.end, 5) == []


def test_a_lead_indents_every_row() -> None:
    buffer = TextBuffer(width=20)
    buffer.add(Paragraph("you", "words that go over more than one row", "ada ▸ "))
    assert all(len(row) <= 14 for row in shown(buffer, 0, 9))
