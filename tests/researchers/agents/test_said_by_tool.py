"""What an agent says by tool: written whole, read as a stranger's."""

import json
import os
from pathlib import Path

import pytest

from loop.researchers.agents import said_by_tool
from loop.researchers.closing import LONGEST_TITLE, MOST_NOTES
from loop.researchers.protocol import Closing


def test_what_was_said_last_counts_and_notes_add_up(tmp_path: Path) -> None:
    assert said_by_tool.read(tmp_path) is None
    said_by_tool.note(tmp_path, "a lesson")
    assert said_by_tool.read(tmp_path) == Closing(notes=("a lesson",))
    said_by_tool.propose(tmp_path, "one", "why", "")
    said_by_tool.note(tmp_path, "a lesson")
    said_by_tool.propose(tmp_path, "two\x1b[31m" + "o" * 300, "why\nnot", "better")
    said = said_by_tool.read(tmp_path)
    assert said is not None and said.title.startswith("twooo") and len(said.title) == LONGEST_TITLE
    assert (said.hypothesis, said.expected, said.notes) == ("why not", "better", ("a lesson",))
    for number in range(50):
        said_by_tool.note(tmp_path, f"lesson {number}")
    said = said_by_tool.read(tmp_path)
    assert said is not None and len(said.notes) == MOST_NOTES and said.notes[-1] == "lesson 49"
    assert [path.name for path in tmp_path.iterdir()] == [said_by_tool.FILE]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[1]",
        "{",
        "\udcff",
        "null",
        "[" * 50_000,
        '{"title": 7, "notes": {"a": 1}, "hypothesis": null}',
        json.dumps({"title": "x" * 70_000}),
    ],
)
def test_a_file_that_says_nothing_is_as_good_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / said_by_tool.FILE).write_bytes(content.encode("utf-8", "surrogateescape"))
    assert said_by_tool.read(tmp_path) is None
    said_by_tool.propose(tmp_path, "title", "why", "")
    assert said_by_tool.read(tmp_path) == Closing("title", "why")


def test_it_reads_no_other_file_and_waits_for_no_pipe(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text('{"title": "secret"}')
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / said_by_tool.FILE).symlink_to(secret)
    assert said_by_tool.read(tmp_path / "a") is None
    (tmp_path / "b").mkdir()
    os.mkfifo(tmp_path / "b" / said_by_tool.FILE)
    assert said_by_tool.read(tmp_path / "b") is None
