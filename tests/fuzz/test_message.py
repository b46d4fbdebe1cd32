"""Git messages and notes: any words of an experiment come back as they were written, and any message can be read."""

import json
import math

import pytest
from hypothesis import strategies as st

from loop.lineage.message import (
    HYPOTHESIS_CHARACTERS,
    TITLE_CHARACTERS,
    ExperimentMessage,
    compose,
    compose_note,
    read_message,
    read_note,
)
from tests.fuzz import corpus
from tests.fuzz.budget import Budget
from tests.fuzz.grammar import TEXTS, as_json

LINES = st.sampled_from(
    (
        *(
            "Verdict: kept",
            "Experiment: 99",
            "Study: other",
            "# a comment",
            " # less",
            "---",
            "diff --git a/x b/x",
            "a: b",
            ":",
            "Key:",
        ),
        *(
            "",
            "\n\n",
            "   indented",
            "\tx = 1",
            "experiment 3: again",
            "Signed-off-by: Ann <a@b>",
            "x" * 9000,
            "\r",
            "\x1b[2J",
            "\x85",
        ),
    )
)
WORDS = st.lists(LINES | TEXTS, max_size=6).map("\n".join)
FACTS = st.fixed_dictionaries(
    {
        "title": WORDS,
        "hypothesis": WORDS,
        "trailers": st.dictionaries(TEXTS | st.sampled_from(("Researcher", "val_bpb", "Runs")), WORDS, max_size=4),
    }
).map(lambda facts: as_json(facts).encode())


def read(data: bytes) -> None:
    """JSON with a title, a hypothesis and trailers; or else a message as it stands in git."""
    text = data.decode("utf-8", "replace")
    found = read_message(text)
    assert found.title is not None and isinstance(found.hypothesis, str)
    read_note(text)
    try:
        facts = json.loads(data)
        title, hypothesis, trailers = facts["title"], facts["hypothesis"], facts["trailers"]
        if not all(isinstance(one, str) for one in (title, hypothesis, *trailers, *trailers.values())):
            return
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return
    message = compose("tag", 12, ExperimentMessage(title, hypothesis, {"Researcher": trailers.get("Researcher", "r")}))
    message.encode()
    again = read_message(message)
    assert again.trailers["Study"] == "tag" and again.trailers["Experiment"] == "12" and len(again.trailers) == 3
    assert len(again.title) <= TITLE_CHARACTERS and len(again.hypothesis) <= HYPOTHESIS_CHARACTERS
    assert (
        compose(
            "tag", 12, ExperimentMessage(again.title, again.hypothesis, {"Researcher": again.trailers["Researcher"]})
        )
        == message
    )
    note = compose_note({"Verdict": title or "kept", "val_bpb": "0.9979", **trailers})
    note.encode()
    judged = read_note(note)
    assert judged is None or judged.value is None or math.isfinite(judged.value)


def test_any_words_come_back_as_they_were_written(budget: Budget) -> None:
    budget.spend("messages", FACTS | WORDS.map(lambda text: text.encode("utf-8", "replace")), read)


@pytest.mark.parametrize("data", corpus.cases("messages"))
def test_every_message_of_the_corpus_can_be_read(data: bytes) -> None:
    read(data)
