"""Tools as fenced blocks of text: what models write is understood, and what they only quote is left alone."""

import json

import pytest

from loop.researchers.llm.text_tools import calls, manual

TOOLS = {
    "read_file": ["path", "first", "lines"],
    "edit_file": ["path", "search", "replace"],
    "write_file": ["path", "text"],
    "show_experiment": ["number", "part"],
    "note": ["text"],
    "propose": ["title", "hypothesis", "expected_gain"],
}


def understood(text: str) -> list[tuple[str, dict[str, object]]]:
    return [(call.name, json.loads(call.arguments)) for call in calls(text, TOOLS)]


def test_an_edit_is_a_search_and_a_replace() -> None:
    text = """I will try this:

```edit_file train.py
<<<<<<< SEARCH
DEPTH = 4
=======
DEPTH = 6

x = "=== not a mark"
>>>>>>> REPLACE
<<<<<<< SEARCH
a
=======
>>>>>>> REPLACE
```
"""
    assert understood(text) == [
        ("edit_file", {"path": "train.py", "search": "DEPTH = 4", "replace": 'DEPTH = 6\n\nx = "=== not a mark"'}),
        ("edit_file", {"path": "train.py", "search": "a", "replace": ""}),
    ]


def test_a_file_is_written_as_it_stands_in_its_block() -> None:
    text = '````write_file train.py\n"""Doc with ``` in it."""\n```\nx = 1\n````'
    assert understood(text) == [("write_file", {"path": "train.py", "text": '"""Doc with ``` in it."""\n```\nx = 1\n'})]


@pytest.mark.parametrize(
    ("body", "arguments"),
    [
        ("number: 3\npart: diff\n", {"number": "3", "part": "diff"}),
        ('{"number": 3, "part": "diff"}\n', {"number": "3", "part": "diff"}),
        ("number: 3\npart: a: b\n", {"number": "3", "part": "a: b"}),
        ("part: over\n two lines\nnumber: 7", {"part": "over two lines", "number": "7"}),
    ],
)
def test_arguments_are_lines_or_json(body: str, arguments: dict[str, object]) -> None:
    assert understood(f"```show_experiment\n{body}\n```") == [("show_experiment", arguments)]


def test_a_title_with_a_colon_and_an_arrow_is_a_title() -> None:
    text = "```propose\ntitle: DEPTH: 4 → 6\nhypothesis: deeper: better\nexpected_gain: 0.01\n```"
    assert understood(text) == [
        ("propose", {"title": "DEPTH: 4 → 6", "hypothesis": "deeper: better", "expected_gain": "0.01"})
    ]


def test_other_blocks_are_quotations() -> None:
    assert understood("```python\nnote = 1\n```\n```\nnote: x\n```\n    ```note\n") == []


def test_several_blocks_are_several_calls_in_order() -> None:
    text = "```read_file train.py\n```\nand\n```note\ntext: learnt\n```"
    assert understood(text) == [("read_file", {"path": "train.py"}), ("note", {"text": "learnt"})]
    assert [call.id for call in calls(text, TOOLS, number=4)] == ["text_4", "text_5"]


def test_what_cannot_be_understood_reaches_the_tool_which_says_so() -> None:
    found = calls("```propose\njust some words\n```", TOOLS)
    assert found[0].arguments == "just some words\n"


def test_the_manual_names_every_tool_and_its_arguments() -> None:
    schema = {"properties": {"number": {"type": "integer"}, "part": {"enum": ["a", "b"]}}, "required": ["number"]}
    text = manual([{"name": "show", "description": "Look at\none.\n\nMore.", "parameters": schema}], "lib/a.py")
    assert "```show\nnumber: a whole number\npart: a | b (may be left out)\n```\nLook at one." in text
    assert "More" not in text and "```edit_file lib/a.py\n" in text and "train.py" not in text
