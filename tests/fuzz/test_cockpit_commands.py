"""What is typed after `:` in the cockpit: any line is a command or one sentence, and its hints never fail."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import strategies as st

from loop.journal import Journal
from loop.study import events as e
from loop.study.folding import FOLDED, fold
from loop.study.state import Study
from tests.fuzz import corpus
from tests.fuzz.budget import Budget
from tests.fuzz.grammar import TEXTS, as_bytes, one_sentence
from tests.recorded import record
from tui.model.commands import COMMANDS, CommandError, completions, hint, parse
from tui.render.text import cells, clean, cut, wrap

NUMBERS = st.sampled_from(("0", "1", "7", "99", "-1", "²", "٣", "１", "9" * 20, "9" * 5000, "1.0", "1e3", "0x1", "½"))
LINES = st.builds(
    "{}{}{}{}".format,
    st.sampled_from((*(spec.name for spec in COMMANDS), "q", "k", "", "KILL", "pauze")),
    st.sampled_from((" ", "  ", "", "\t", "\u00a0", "\u3000")),
    NUMBERS | TEXTS,
    st.just("") | TEXTS.map(" {}".format),
)


@cache
def study() -> Study:
    """A recorded study with pins."""
    path = Path(mkdtemp(prefix="commands-")) / "journal.db"
    record(path, experiments=20)
    with Journal(path) as journal:
        journal.append(e.Pinned(text="leave the tokenizer alone"))
        return fold(journal.read(kinds=FOLDED))


def read(data: bytes) -> None:
    line = clean(data.decode("utf-8", "replace"))
    for typed in (line, line.replace("\n", " ")):
        assert isinstance(hint(typed, study()), str)
        for offered in completions(typed, study()):
            assert isinstance(hint(offered, study()), str)
        assert cells(cut(typed, 20)) <= 20
        if "\n" not in typed:
            rows = wrap(typed, 20)
            assert "".join(typed[a:b] for a, b in rows).replace(" ", "") == typed.replace(" ", "")
        try:
            command = parse(typed, study())
        except CommandError as refused:
            one_sentence(clean(str(refused)))
            continue
        numbers = {None, *study().experiments, *study().pins}
        assert command.number in numbers


def test_any_line_is_a_command_or_one_sentence(budget: Budget) -> None:
    budget.spend("cockpit_commands", LINES.map(as_bytes), read)


@pytest.mark.parametrize("data", corpus.cases("cockpit_commands"))
def test_every_line_of_the_corpus_is_a_command_or_refused(data: bytes) -> None:
    read(data)
