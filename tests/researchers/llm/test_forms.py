"""An edit is taken in whatever form a model writes it; what is ambiguous, cut off or only a sketch is not."""

import json

import pytest

from loop.researchers.llm import text_tools
from loop.researchers.llm.toolbox import Toolbox
from tests.researchers.llm.forms import BLOCK, CALLS, EDIT, EDITED, HUNK, PROPOSAL, TEXTS, V4A, call
from tests.researchers.llm.talks import TRAIN, altered, briefing
from tests.researchers.spoken import Shelf, Spoken


def box(**files: str) -> Toolbox:
    """The tools for a study of `train.py` and what else is named."""
    texts = {"train.py": TRAIN, **{name.replace("_py", ".py"): text for name, text in files.items()}}
    brief = altered(briefing(shelf=Shelf({**texts, "README.md": "# About\n"})), files=texts)
    return Toolbox(altered(brief, contract=brief.contract.model_copy(update={"edit": tuple(texts)})), Spoken())


async def carried_out(tools: Toolbox, text: str) -> list[str]:
    """What the tools answer to the calls and edits in a text."""
    tools.begin(text)
    found = text_tools.calls(text, tools.takes, tools.draft.files())
    return [await tools.use(call.name, call.arguments) for call in found]


# --- edits as text ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
async def test_an_edit_in_text_is_taken(text: str) -> None:
    tools = box()
    (answer,) = await carried_out(tools, text)
    assert answer.startswith("+1 -1 lines") or "names itself" in text or text.startswith("```python\n# train.py")
    assert tools.draft.texts["train.py"].endswith(EDITED)
    (again,) = await carried_out(tools, text)
    assert "already" in again and tools.draft.texts["train.py"].endswith(EDITED), "and taken once"


@pytest.mark.parametrize(
    "pair",
    [
        f"<tool_call>{call()}</tool_call>\n<tool_call>{json.dumps({'name': 'propose', 'arguments': PROPOSAL})}</tool_call>",
        f"<|python_tag|>{call('parameters')}; {json.dumps({'name': 'propose', 'parameters': PROPOSAL})}",
        f"[TOOL_CALLS][{call()}, {json.dumps({'name': 'propose', 'arguments': PROPOSAL})}]",
        f"[TOOL_CALLS]edit_file{json.dumps(EDIT)}[TOOL_CALLS]propose{json.dumps(PROPOSAL)}",
        'edit_file(path="train.py", search="DEPTH = 4", replace="DEPTH = 6")\n'
        'propose(title="DEPTH 4 → 6", hypothesis="Deeper.", expected_gain=0.01)',
        '[edit_file(path="train.py", search="DEPTH = 4", replace="DEPTH = 6"), '
        'propose(title="DEPTH 4 → 6", hypothesis="Deeper.", expected_gain=0.01)]',
        f"train.py\n```python\n{BLOCK}\n```\n\n```propose\ntitle: DEPTH 4 → 6\nhypothesis: Deeper.\nexpected_gain: 0.01\n```",
        f"```diff\n{HUNK}\n```\n\n<tool_call>{json.dumps({'name': 'propose', 'arguments': PROPOSAL})}</tool_call>",
    ],
)  # fmt: skip
async def test_an_edit_and_its_proposal_in_one_text_are_carried_out_in_order(pair: str) -> None:
    tools = box()
    assert await carried_out(tools, pair) == ["+1 -1 lines", "handed over"]
    proposal = tools.proposal
    assert proposal is not None and proposal.edits == {"train.py": EDITED} and proposal.title == "DEPTH 4 → 6"
    assert (proposal.hypothesis, proposal.expected) == ("Deeper.", "better by 0.01")


async def test_a_file_may_hold_fences_and_marks_of_its_own() -> None:
    inside = f'"""About.\n\n```\nexample\n```\n"""\n{EDITED}'
    tools = box()
    assert len(await carried_out(tools, f"```write_file train.py\n{inside}```\n\n```note\ntext: learnt\n```")) == 2
    assert tools.draft.texts["train.py"] == inside
    fences = '```edit_file train.py\n<<<<<<< SEARCH\nDEPTH = 4\n=======\n"""\n```\nx\n```\n"""\nDEPTH = 6\n>>>>>>> REPLACE\n```'
    tools = box()
    await carried_out(tools, fences)
    assert tools.draft.texts["train.py"].startswith('"""\n```\nx\n```\n"""\nDEPTH = 6')


async def test_several_files_are_told_apart_by_their_names() -> None:
    tools = box(model_py="LAYERS = 2\n")
    other = "<<<<<<< SEARCH\nLAYERS = 2\n=======\nLAYERS = 3\n>>>>>>> REPLACE"
    await carried_out(tools, f"train.py\n```\n{BLOCK}\n```\n\nmodel.py\n```\n{other}\n```")
    assert tools.draft.edits() == {"train.py": EDITED, "model.py": "LAYERS = 3\n"}
    tools = box(model_py="LAYERS = 2\n")
    (answer,) = await carried_out(tools, f"```\n{BLOCK}\n```")
    assert answer == "error: say which file you mean; only train.py, model.py may" and not tools.draft.edits()


@pytest.mark.parametrize(
    "text",
    [
        'edit_file(path="train.py", search="DEPTH = 4", repl',
        "```python\nDEPTH = 6  # layers\n```",  # a sketch
        "train.py\n```python\nDEPTH = 6  # layers\nWIDTH = 64\n```",
        f"```python\n{EDITED}```\n\nor\n\n```python\n{EDITED.replace('6', '8')}```",  # one of two
        "```python\n" + EDITED.replace("def main():", "# ... rest of the code ...\n\n\ndef main():") + "```",
        "I would call edit_file(path, search, replace) with a DEPTH of 6.",
        json.dumps({"name": "train.py", "arguments": EDIT}),
        json.dumps({"replace": {"path": "train.py", "search": "DEPTH = 4", "replace": "DEPTH = 6"}}),  # no tool of ours
        f"```bash\ncat > other.py <<'EOF'\n{EDITED}EOF\n```",
        f"```bash\ncat >> train.py <<'EOF'\n{EDITED}EOF\n```",
        "```bash\nsed -i 's/DEPTH = 4/DEPTH = 6/' train.py\n```",
        "```yaml\nname: resnet\narguments: {depth: 6}\n```",
        "---- Old ideas ----\n\nThere are none.",
    ],
)
async def test_what_is_a_sketch_one_of_two_or_something_else_is_no_edit(text: str) -> None:
    tools = box()
    assert await carried_out(tools, text) == [] and not tools.draft.edits()


PROPOSED = f"\n<tool_call>{json.dumps({'name': 'propose', 'arguments': PROPOSAL})}</tool_call>"
OTHER = "<<<<<<< SEARCH\nWIDTH = 64\n=======\nWIDTH = 32\n>>>>>>> REPLACE"
NO_END = "an edit in your answer has no end"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BLOCK.rpartition("\n")[0], NO_END),
        (f"```\n{BLOCK.partition('=======')[0]}```\nAgain:\n```\n{OTHER}\n```", NO_END),
        (f"```\n{BLOCK.rpartition('>>>>>>>')[0]}```\nAgain:\n```\n{OTHER}\n```", NO_END),
        (BLOCK.replace("=======\n", ""), NO_END),
        (f"```edit_file train.py\n{BLOCK.rpartition('>>>>>>>')[0]}```", NO_END),
        (f"```diff\n{HUNK}", NO_END),
        (V4A.removesuffix("*** End Patch"), NO_END),
        (f"```bash\ncat > train.py <<EOF\n{EDITED}print(`date`)\nEOF\n```", NO_END),
        ("```yaml\ntool: edit_file\nsearch: DEPTH = 4\n`replace: x\n```", "the arguments of edit_file are not right"),
        (f"<tool_call>{call()[:-9]}", "the arguments of edit_file are not right: they are no JSON"),
        ('<tool_call>{"name": "edit_file", "arguments": {"path": "train.py", "search": "DEPTH = 4", "replace": '
        '"d = {"a": 1, "b": 2}"}}</tool_call>', "are no JSON"),
        (f"[TOOL_CALLS]edit_file{json.dumps(EDIT)[:-9]}", "are no JSON"),
        ("<start_function_call>call:edit_file{path:<escape>train.py<escape>,search:<escape>DEPTH", "are no JSON"),
        ("<function=edit_file>\n<parameter=path>train.py</parameter>\n<parameter=search>DEPTH = 4", "search: Field req"),
        ("<edit_file>\n<path>train.py</path>\n<search>DEPTH = 4</search>\n<replace>DEPTH", "replace: Field required"),
    ],
)  # fmt: skip
async def test_what_is_cut_off_is_told_and_nothing_is_handed_over_without_it(text: str, told: str) -> None:
    tools = box()
    await tools.use("edit_file", json.dumps({"path": "train.py", "search": "RATE = 0.02", "replace": "RATE = 0.01"}))
    answers = await carried_out(tools, text + PROPOSED)
    assert told in answers[0] and "DEPTH = 4" in tools.draft.texts["train.py"]
    assert tools.proposal is None, answers


@pytest.mark.parametrize(
    ("before", "answer"),
    [
        (f"It is this:\n```diff\n{HUNK}\n```", "the draft has this edit already"),
        (f"It is this:\n```\n{BLOCK}\n```", "the draft has this edit already"),
        (f"The file as it will be:\n```python\n{EDITED}```", "the draft has this edit already"),
        (
            f"Here:\n```python\n# train.py\nDEPTH = 6\n# ... rest of the code ...\n```\n```\n{BLOCK}\n```",
            "the draft has this edit already",
        ),
        (f"The file as it is:\n```python\n{TRAIN}```", "the draft has this edit already"),
        ("Experiment 5 did:\n```diff\n-WIDTH = 64\n+WIDTH = 32\n```", "error: another edit in your answer"),
        (f"Experiment 5 did:\n```\n{OTHER}\n```", "error: another edit in your answer"),
    ],
)
async def test_an_edit_that_is_told_beside_those_that_are_made_is_not_made(before: str, answer: str) -> None:
    tools = box()
    edit, told, _ = await carried_out(tools, f"{before}\n<tool_call>{call()}</tool_call>{PROPOSED}")
    assert edit == "+1 -1 lines" and told.startswith(answer)
    assert tools.draft.texts["train.py"] == EDITED
    assert (tools.proposal is not None) == ("already" in answer), "what may be meant is asked back first"


async def test_of_two_forms_in_one_answer_one_is_made() -> None:
    tools = box()
    text = f"Experiment 5 did:\n```diff\n-WIDTH = 64\n+WIDTH = 32\n```\nI do:\n```\n{BLOCK}\n```{PROPOSED}"
    answers = await carried_out(tools, text)
    assert [answer.partition(",")[0] for answer in answers[:2]] == ["+1 -1 lines", "error: another edit in your answer"]
    assert tools.draft.texts["train.py"] == EDITED and tools.proposal is None


async def test_an_edit_that_is_told_once_more_is_no_mistake() -> None:
    tools = box()
    await tools.use("edit_file", json.dumps(EDIT))
    told, handed = await carried_out(tools, f"I have made this:\n```diff\n{HUNK}\n```{PROPOSED}")
    assert (told, handed) == ("the draft has this edit already", "handed over")
    tools = box()
    await tools.use("edit_file", json.dumps({**EDIT, "search": "RATE = 0.02", "replace": "RATE = 0.01"}))
    told, _ = await carried_out(tools, f"```diff\n-DEPTH = 8\n+WIDTH = 64\n```{PROPOSED}")
    assert "that does not occur" in told, "the champion has had that line before"


@pytest.mark.parametrize("held", [{"edits": [EDIT]}, {"diff": HUNK}, {"patch": V4A}, {"changes": json.dumps([EDIT])}])
async def test_a_proposal_may_hold_its_edits(held: dict[str, object]) -> None:
    tools = box()
    assert await tools.use("propose", json.dumps({**PROPOSAL, **held})) == "+1 -1 lines\nhanded over"
    assert tools.proposal is not None and tools.proposal.edits == {"train.py": EDITED}
    tools = box()
    bad = json.dumps({**PROPOSAL, **held}).replace("DEPTH = 4", "DEPTH = 5")
    assert "not handed over" in await tools.use("propose", bad) and tools.proposal is None


@pytest.mark.parametrize(
    "held", [{"changes": "DEPTH from 4 to 6"}, {"changes": [{"file": "train.py", "what": "DEPTH"}]}]
)
async def test_words_about_a_change_are_no_edit(held: dict[str, object]) -> None:
    tools = box()
    await tools.use("edit_file", json.dumps(EDIT))
    assert "handed over" in await tools.use("propose", json.dumps({**PROPOSAL, **held}))
    assert tools.proposal is not None and tools.proposal.edits == {"train.py": EDITED}


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [("a/train.py", "b/train.py", "train.py"), ("a/train.py", "a/train.py", "a/train.py"), ("a/a/train.py", "b/a/train.py", "a/train.py")],
)  # fmt: skip
async def test_a_folder_that_is_called_as_a_diff_s_prefix_is_a_folder(old: str, new: str, path: str) -> None:
    tools = box(**{"a/train_py": TRAIN})
    await carried_out(tools, f"```diff\n--- {old}\n+++ {new}\n{HUNK}\n```")
    assert tools.draft.edits() == {path: EDITED}


async def test_numbers_stay_as_they_are_written() -> None:
    tools = box()
    await carried_out(tools, "```edit_file\npath: train.py\nsearch: 0.02\nreplace: 0.010\n```")
    assert "RATE = 0.010\n" in tools.draft.texts["train.py"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BLOCK.replace("DEPTH = 4  # layers\n", "DEPTH\n").replace("DEPTH = 6  # layers", "X"), "that occurs 2 times, at lines 1, 7"),
        (f"README.md\n```\n{BLOCK}\n```", "README.md may not be changed"),
        (f"```diff\n--- a/other/train.py\n+++ b/other/train.py\n{HUNK}\n```", "other/train.py may not be changed"),
        ("*** Begin Patch\n*** Delete File: train.py\n*** End Patch", "a file cannot be deleted here"),
        (V4A.replace("@@", "*** Move to: other.py\n@@", 1), "a file cannot be moved or renamed here"),
        ("```python\n# train.py\nDEPTH = 6\n# ... rest of the code ...\n```", "a file in your answer leaves out code"),
        ("```write_file train.py\n```", "that would empty train.py"),
        ("```write_file train.py\nDEPTH = 6\ndef main():\n    ...\n```", "would lack what “def main: ...”"),
        ("```diff\n@@ -1,0 +1,1 @@\n+DEPTH = 6\n```", "the text to search for is empty"),
        ("```write_file train.py\nDEPTH = 6\n# ... rest of the code unchanged ...\n```", "would lack what “# ... rest of the code"),
        ("```edit_file train.py\n<<<<<<< SEARCH\nWIDTH = 64\n=======\n# existing code\n>>>>>>> REPLACE\n```", "would lack what"),
    ],
)  # fmt: skip
async def test_what_is_not_clear_is_asked_back(text: str, told: str) -> None:
    tools = box()
    (answer,) = await carried_out(tools, text)
    assert answer.startswith("error: ") and told in answer and not tools.draft.edits()


# --- arguments of calls through the endpoint's interface ---------------------------------------------------------


@pytest.mark.parametrize(("name", "arguments"), CALLS.values(), ids=CALLS.keys())
async def test_a_call_is_carried_out_as_it_was_meant(name: str, arguments: str) -> None:
    tools = box()
    answer = await tools.use(name, arguments)
    assert tools.draft.texts["train.py"] == EDITED, answer


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("edit_file", '{"path": "train.py", "search": "DEPTH = 4", "repl"}', "are not right"),
        ("write_file", '{"path": "train.py", "text": "x = {\'a\': 1}', "Unterminated string"),
        (
            "edit_file",
            '{"path": "train.py", "search": "d = {"a": 1, "b": 2}", "replace": "d = {"a": 1}"}',
            "are not right",
        ),
        ("edit_file", "DEPTH = 6", "they are no JSON"),
        ("edit_file", "[1, 2]", "they are [1, 2] instead of an object"),
        ("edit_file", json.dumps({"path": "train.py", "search": "DEPTH"}), "replace: Field required"),
        ("edit_file", json.dumps({**EDIT, "path": "/elsewhere/README.md"}), "README.md may not be changed"),
    ],
)
async def test_what_cannot_be_read_for_sure_is_refused(name: str, arguments: str, told: str) -> None:
    tools = box()
    answer = await tools.use(name, arguments)
    assert answer.startswith("error: ") and told in answer and not tools.draft.edits()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"expected_gain": "about 0.16"}, "better by 0.16"),
        ({"expected_gain": "0.16 bpb"}, "better by 0.16"),
        ({"expected_gain": -0.16}, "better by 0.16"),
        ({"expected_improvement": 0.16, "confidence": "high"}, "better by 0.16"),
        ({"expected_gain": 0}, "no better, but simpler"),
        ({"expected_gain": "16%"}, ""),
        ({"expected_gain": "from 0.5 to 0.3"}, ""),
        ({}, ""),
    ],
)
async def test_an_expected_gain_is_taken_where_it_is_clear(given: dict[str, object], expected: str) -> None:
    tools = box()
    await tools.use("edit_file", json.dumps(EDIT))
    await tools.use("submit", json.dumps({"title": "DEPTH 4 → 6", "description": "Deeper.", **given}))
    assert tools.proposal is not None and tools.proposal.expected == expected
    assert tools.proposal.hypothesis == "Deeper."


async def test_a_path_outside_is_not_taken_for_one_inside_that_may_not_be_changed() -> None:
    texts = {"train.py": TRAIN, "sub/train.py": TRAIN}
    brief = altered(briefing(shelf=Shelf(texts)), files={"train.py": TRAIN})
    tools = Toolbox(brief, Spoken())
    answer = await tools.use("edit_file", json.dumps({**EDIT, "path": "/work/sub/train.py"}))
    assert answer == "error: sub/train.py may not be changed; only train.py may"


async def test_an_edit_that_inserts_is_made_once() -> None:
    tools = box()
    insert = json.dumps({"path": "train.py", "search": "WIDTH = 64\n", "replace": "WIDTH = 64\nHEADS = 2\n"})
    assert await tools.use("edit_file", insert) == "+1 -0 lines"
    assert await tools.use("edit_file", insert) == "the draft has this edit already"
    assert tools.draft.texts["train.py"].count("HEADS") == 1
