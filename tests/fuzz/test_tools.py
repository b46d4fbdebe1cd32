"""What a language model sends: any arguments of any tool, in any form, are carried out or answered by a sentence."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import strategies as st

from loop.policy import guards
from loop.researchers.closing import title_of
from loop.researchers.llm import arguments, text_tools
from loop.researchers.llm.thinking import Splitter
from loop.researchers.llm.toolbox import RESULT, GivenUp, Toolbox
from loop.researchers.patching import Refused, diff, replace_once, with_ends_of
from loop.sanitize import plain
from loop.study.codec import decode, encode
from loop.study.contract import Contract
from loop.study.events import EditsRecorded, ExperimentProposed
from tests.fuzz import corpus
from tests.fuzz.budget import Budget
from tests.fuzz.grammar import NESTED, NUMBERS, TEXTS, VALUES, as_bytes, as_json
from tests.researchers.llm.forms import CALLS as CALLS_OF
from tests.researchers.llm.forms import TEXTS as TEXTUAL
from tests.researchers.llm.talks import TRAIN, altered, briefing, experiment
from tests.researchers.spoken import Spoken

TAKES = Toolbox(briefing(), Spoken(), repairs=True).takes
FILES = {"train.py": TRAIN, "a b.py": ""}
NAMES = (*TAKES, "search_papers", "run", "", "edit_file ", "str_replace_editor", "apply_patch", "functions.submit")
WORDS = st.sampled_from(
    ("path", "search", "replace", "text", "number", "part", "title", "hypothesis", "expected_gain", "first", "why")
)
SAID = st.sampled_from(
    (
        TRAIN,
        TRAIN[:9],
        "DEPTH",
        "DEPTH = 4",
        "  DEPTH = 4",
        "    1  DEPTH = 4",
        "\n",
        " ",
        "train.py",
        "README.md",
        "diff",
        "all",
    )
)
ARGUMENTS = st.dictionaries(WORDS, SAID | TEXTS | NUMBERS | VALUES, max_size=5)
FITTING = st.sampled_from(
    (
        ("read_file", {"path": "train.py", "first": 2**70, "lines": -(2**70)}),
        ("edit_file", {"path": "train.py", "search": "DEPTH = 4", "replace": "DEPTH = 6"}),
        ("write_file", {"path": "train.py", "text": "x = " + "(" * 3000}),
        ("propose", {"title": "a", "hypothesis": "b", "expected_gain": 0.1}),
        ("show_experiment", {"number": 1, "part": "file"}),
        ("list_experiments", {"which": "all", "before": -1}),
        ("take_experiment", {"number": 10**400}),
        ("note", {"text": "\u202eabc"}),
    )
)
CALLS = st.one_of(
    st.tuples(st.sampled_from(NAMES), ARGUMENTS.map(as_json)),
    FITTING.map(lambda call: (call[0], as_json(call[1]))),
    st.builds(lambda call, more: (call[0], as_json({**call[1], **more})), FITTING, ARGUMENTS),
    st.tuples(st.sampled_from(NAMES), TEXTS | NESTED | VALUES.map(as_json)),
)
TALKS = st.lists(CALLS, max_size=6).map(lambda calls: as_json([list(call) for call in calls]).encode())


def read(data: bytes) -> None:
    """A JSON list of calls, each `[name, arguments as the model wrote them]`."""
    try:
        calls = json.loads(data)
    except (ValueError, RecursionError):
        return
    good = [call for call in calls if isinstance(call, list) and len(call) == 2] if isinstance(calls, list) else []
    asyncio.run(converse([(name, text) for name, text in good if isinstance(name, str) and isinstance(text, str)]))


async def converse(calls: list[tuple[str, str]]) -> None:
    sink = Spoken()
    brief = altered(
        briefing(experiment(1, "discarded"), experiment(2, None)), contract=Contract(edit=("train.py", "a b.py"))
    )
    box = Toolbox(brief, sink, repairs=True)
    for name, written in calls:
        try:
            answer = await box.use(name, written)
        except GivenUp as why:
            assert isinstance(str(why), str)
            continue
        assert answer and len(answer) <= RESULT + 100
    assert set(box.draft.edits()) <= {"train.py", "a b.py"}
    for intent, result in sink.tools:
        assert "\n" not in result and len(intent) < 6000
    if (proposal := box.proposal) is not None:
        told = ExperimentProposed(
            researcher="llm", title=proposal.title, hypothesis=proposal.hypothesis, expected=proposal.expected
        )
        assert plain(proposal.title) == proposal.title and decode(encode(told))
        assert decode(encode(EditsRecorded(edits=dict(proposal.edits))))
        guards.refusal(brief.contract, brief.files, proposal.edits)
        guards.fingerprint({**brief.files, **proposal.edits})
        assert title_of(brief.files, proposal.edits)


def test_any_call_of_a_tool_is_carried_out_or_answered(budget: Budget) -> None:
    budget.spend("tools", TALKS, read)


@pytest.mark.parametrize("data", corpus.cases("tools"))
def test_every_call_of_the_corpus_is_carried_out_or_answered(data: bytes) -> None:
    read(data)


async def test_no_draft_is_larger_than_a_file_may_be() -> None:
    box = Toolbox(briefing(), Spoken())
    answer = await box.use("write_file", as_json({"path": "train.py", "text": "x = 1\n" * 400_000}))
    assert answer == "error: train.py would be larger than 1000 kB; keep data out of it" and not box.draft.edits()


# --- the same in text, for models without function calls ------------------------------------------------------------

FENCES = st.sampled_from(("```", "~~~", "````", "``", " ```", "```` "))
BODIES = st.sampled_from(
    (
        *(
            "<<<<<<< SEARCH\nDEPTH = 4\n=======\nDEPTH = 6\n>>>>>>> REPLACE\n",
            "<<<<<<< SEARCH\n",
            "=======\n",
            ">>>>>>> REPLACE\n",
        ),
        *(
            "title: a: b\n",
            "text: |\n  a\n  b\n",
            "&a [*a]\n",
            "a: &a {b: *a}\n",
            "!!bool x\n",
            "2024-13-45: 1\n",
            "- x\n",
            "? [1]\n: 2\n",
        ),
        *(
            "number: 0x" + "f" * 5000 + "\n",
            "[" * 5000 + "\n",
            "{}\n",
            "null\n",
            "1\n",
            "title: *very* good\n",
            "note: 2024-01-01\n",
        ),
        *TEXTUAL.values(),
        *("<think>", "</think>", "<thinking>\n", "</reasoning>", "<", "\r\n", "\ud800\n", "\u2028"),
    )
)
ANSWERS = st.lists(
    st.builds("{}{} {}\n{}{}\n".format, FENCES, st.sampled_from(NAMES), TEXTS, BODIES, FENCES) | BODIES | TEXTS,
    max_size=8,
).map("".join)


def read_text(data: bytes) -> None:
    answer = (
        data.decode("utf-8", "surrogatepass" if b"\xed" in data else "replace")
        if _is_text(data)
        else data.decode("latin-1")
    )
    splitter, text = Splitter(), ""
    for at in range(0, len(answer), 7):
        text += "".join(piece for kind, piece in splitter.feed(answer[at : at + 7]) if kind == "text")
    text += "".join(piece for kind, piece in splitter.finish() if kind == "text")
    calls = text_tools.calls(text, TAKES, FILES)
    assert len(calls) <= len(text) // 5 and len({call.id for call in calls}) == len(calls)
    assert sum(len(call.arguments) for call in calls) < 50 * len(text) + 1000, "nothing grows by being read"
    asyncio.run(converse([(call.name, call.arguments) for call in calls]))


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def test_any_answer_is_taken_for_its_calls(budget: Budget) -> None:
    budget.spend("answers", ANSWERS.map(as_bytes), read_text)


@pytest.mark.parametrize("data", corpus.cases("answers"))
def test_every_answer_of_the_corpus_is_taken_for_its_calls(data: bytes) -> None:
    read_text(data)


# --- arguments that are hardly JSON ---------------------------------------------------------------------------------

ODD = (
    *(
        "{'a': \"it's\"}",
        '{"a": "b}',
        '{"a": tru',
        "{a: 1, /* b */}",
        '{"a": "\\d"}',
        '"\\"{\\\\',
        "[{}, {]",
        "```json\n{",
    ),
    *('{"a": nan}', '{"a": "x = {\'b\': 1}', '{"a": "b" "c"}', "{'a': b'x'}", '{"a": """b"""}'),
)
SPELT = st.sampled_from((*(text for _, text in CALLS_OF.values()), *ODD))
WRITTEN = st.one_of(
    SPELT, st.builds(lambda text, at, more: text[:at] + more + text[at:], SPELT, st.integers(0, 90), TEXTS), NESTED
).map(as_bytes)


def read_arguments(data: bytes) -> None:
    """Whatever a model writes is read or refused, and no text is made up."""
    text = data.decode("utf-8", "replace")
    try:
        value = arguments.read(text)
        calls = arguments.meant("edit_file", value, TAKES)
    except arguments.Unreadable as why:
        assert str(why)
        return
    bare = "".join(sign for sign in text if sign.isalnum())
    for call in calls:
        for one in call.values.values():
            if isinstance(one, str) and one.isalnum() and "\\" not in text:
                assert one in bare, f"{one!r} is made up"


def test_any_arguments_are_read_orread_arguments(budget: Budget) -> None:
    budget.spend("arguments", WRITTEN, read_arguments)


@pytest.mark.parametrize("data", corpus.cases("arguments"))
def test_all_arguments_of_the_corpus_are_read_orread_arguments(data: bytes) -> None:
    read_arguments(data)


# --- search and replace ---------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    ("DEPTH = 4\n", "x\n", "\n", " ", "    x\n", "x", "x\nx\n", "\r\n", "\t", "é", "a" * 300, "ab" * 200 + "\n")
)
PATCHES = st.tuples(*(st.lists(PIECES | TEXTS, max_size=12).map("".join) for _ in range(3))).map(
    lambda three: as_json(list(three)).encode()
)


def read_patch(data: bytes) -> None:
    """JSON `[text, search, replace]`."""
    try:
        three = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not (isinstance(three, list) and len(three) == 3 and all(isinstance(part, str) for part in three)):
        return
    text, search, replace = three
    found = replace_once(text, search, replace)
    search, replace = with_ends_of(text, search), with_ends_of(text, replace)
    if isinstance(found, Refused):
        assert found.why
    elif search in text:
        head, _, tail = text.partition(search)
        assert found == head + replace + tail and search not in tail
    if isinstance(found, str):
        after = undone(text, diff(text, found, "a"))
        assert after == found.splitlines()


def undone(before: str, lines: list[str]) -> list[str]:
    """What a unified diff makes of a text, by the positions and lines that it names."""
    old, new, at = before.splitlines(), [], 0
    for line in lines:
        if line.startswith("@@ -"):
            start, _, count = line[4:].split(" ")[0].partition(",")
            first = int(start) - (count != "0")
            new += old[at:first]
            at = first
        elif line.startswith("+"):
            new.append(line[1:])
        else:
            assert old[at] == line[1:], "the diff is of this text"
            new += [old[at]] if line.startswith(" ") else []
            at += 1
    return new + old[at:]


def test_any_edit_fits_once_or_is_answered(budget: Budget) -> None:
    budget.spend("patches", PATCHES, read_patch)


@pytest.mark.parametrize("data", corpus.cases("patches"))
def test_every_edit_of_the_corpus_fits_once_or_is_answered(data: bytes) -> None:
    read_patch(data)


def test_a_diff_of_very_many_equal_lines_is_one_of_this_text_all_the_same() -> None:
    before, after = ("".join(f"{n * step % 150}\n" for n in range(30_000)) for step in (1, 7))
    lines = diff(f"head\n{before}tail\n", f"head\n{after}tail\n", "a")
    assert undone(f"head\n{before}tail\n", lines) == f"head\n{after}tail\n".splitlines()
    assert lines[0] == "@@ -2,29998 +2,29998 @@" or len(lines) > 10_000


def read_long(text: str) -> None:
    text_tools.calls(text, TAKES, FILES)


LONG: tuple[tuple[str, Any], ...] = (
    ("one letter of a text of a megabyte", lambda size: replace_once("ab\n" * (size // 3), "a", "b")),
    ("one long line like another", lambda size: replace_once(f"x = '{'ab' * size}'", f"x = '{'ba' * size}'", "")),
    ("half of the lines", lambda size: replace_once("ab\n" * size, "ab\n" * (size // 2) + "c", "")),
    (
        "many lines like many",
        lambda size: replace_once("".join(f"x{n}\n" for n in range(size)), "\n".join(map(str, range(300))), ""),
    ),
    *(
        (name, lambda size, piece=piece: text_tools.calls(piece * (size // len(piece)), TAKES, FILES))
        for name, piece in (
            ("fences that nobody closes", "```x\n"),
            ("fences of files", "```train.py\nx = (\n```\n"),
            ("blocks of tools that nobody closes", "```write_file train.py\n(\n"),
            ("marks that nobody closes", "<<<<<<< SEARCH\n"),
            ("diffs without an end", "--- a/train.py\n+++ b/train.py\n@@\n"),
            ("patches that nobody closes", "*** Begin Patch\n*** Update File: train.py\n"),
            ("objects that nobody closes", '{"name": "note", "arguments": {"text": "'),
            ("Python dicts that nobody closes", "{'name': 'note', 'arguments': ("),
            ("calls that nobody closes", "note(\n"),
            ("calls", "note('a')\n"),
            ("tags of tools", "<invoke name='note'>"),
            ("tags of parameters", "<parameter=text>"),
            ("elements", "<note><text>"),
            ("marks of calls", "[TOOL_CALLS]note[ARGS]{"),
            ("calls of Gemma", "<|tool_call>call:note{<escape>"),
            ("calls of gptme", "@note(1): {\n"),
            ("calls in YAML", "```\nname: note\n"),
            ("files for a shell", "```sh\ncat > train.py << 'EOF'\n"),
            ("files without an end for a shell", "```sh\ncat > train.py << 'EOF'\n```\n"),
            ("files in one block for a shell", "cat > train.py << 'EOF'\n"),
            ("names of files", "train.py\n"),
            ("quotes", '"""a\'\'\'b"'),
        )
    ),
    ("parameters in a tag", lambda size: read_long("<function=note>" + "<parameter=text>" * size + "</function>")),
    ("arguments of brackets", lambda size: read_arguments(b"{'a': " + b"[(" * size + b"}")),
    ("arguments of quotes", lambda size: read_arguments(b'{"a": "' + b'"b", "' * size + b"}")),
    (
        "edits that nobody closes",
        lambda size: read_long("```edit_file a\n" + "<<<<<<< SEARCH\n" * size + "```\n"),
    ),
    ("rules in an edit", lambda size: read_long("```edit_file a\n<<<<<<< SEARCH\n" + "=======\n" * size + "```\n")),
    ("tags that open nothing", lambda size: list(Splitter().feed("<think" * size))),
)


@pytest.mark.parametrize(("name", "read"), LONG, ids=[name for name, _ in LONG])
def test_what_is_long_and_nasty_costs_no_more_than_its_length(name: str, read: Any, budget: Budget) -> None:
    """What tries every place against every other takes hours here, so the time-out ends it."""
    budget.tried += 1
    read(1_000_000 if budget.seconds else 50_000)
