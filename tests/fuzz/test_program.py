"""`program.md`: any file is a program whose contract survives the journal, or one sentence that names the file."""

from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import strategies as st

from loop.config.program import Program, ProgramError, load
from loop.lineage import matching
from loop.policy import limits
from loop.study import codec
from loop.study import events as e
from loop.study.contract import Contract, Keep, Limits
from loop.study.state import Study
from tests.fuzz import corpus
from tests.fuzz.budget import Budget
from tests.fuzz.grammar import TEXTS, VALUES, as_bytes, as_json, one_sentence

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(9 * ['*' + before])}]\n" for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)
"""A thousand million words in half a kilobyte."""

WORDS = st.sampled_from(
    (
        *(
            "5m",
            "20s",
            "1:30",
            "1_000",
            "0o17",
            "017",
            "0x1F",
            "0x" + "f" * 5000,
            ".inf",
            "-.inf",
            ".nan",
            "1e3",
            "1e400",
        ),
        *("9" * 400, "9" * 5000, "9" * 30 + "d", "-5", "0", "80GB", "1e400GB", "9" * 400 + "GB", "-1MB", "~", "null"),
        *(
            "yes",
            "off",
            "2024-01-01",
            "2024-13-45",
            "2001-12-14t21:59:43.10-05:00",
            "min",
            "max",
            "auto",
            "all",
            "flagged",
        ),
        *(
            '!!int ""',
            '!!float ""',
            "!!bool x",
            "!!timestamp x",
            "!!binary x",
            "!!set {a, b}",
            "!!omap [a: 1]",
            "!!pairs 1",
        ),
        *(
            "!!python/object/apply:os.system [id]",
            "!local x",
            "&a [*a]",
            "&a {x: *a}",
            "*a",
            "*j",
            "<<: *a",
            "=",
            "? x",
        ),
        *(
            "[" * 5000,
            "[" * 300 + "]" * 300,
            "{a: " * 300 + "}" * 300,
            "[]",
            "{}",
            "[train.py, train.py]",
            "{1: 2}",
            "{[1]: 2}",
        ),
        *(
            '"a\\0b"',
            '"\\ud800"',
            '"a\\nb"',
            '"\\e[2J"',
            "|\n  a\n  b",
            ">\n  a",
            "'",
            '"',
            "- x",
            "train.py",
            "loop.py",
            "a dir",
        ),
        *(
            "~nobody/x",
            "~/x",
            "../x",
            "/x",
            ".",
            "",
            "x" * 5000,
            "x/" * 3000,
            "x",
            "%TAG ! x",
            "@x",
            "`x",
            "# x",
            "x # y",
            "x: y",
        ),
        *(
            "{confidence: 0.9}",
            "{confidence: 0.9, confidence: 0.6}",
            "{memory: 0x" + "f" * 5000 + "}",
            "{hours: " + "9" * 400 + "}",
        ),
    )
)
KEYS = st.sampled_from(
    (*Contract.model_fields, *Limits.model_fields, *Keep.model_fields, "budgt", '"a\\nb"', "1", "~", "<<")
)


@st.composite
def front_matter(draw: st.DrawFn) -> bytes:
    """Keys of the contract and others, with what such values look like and what they do not."""
    lines = [BOMB] if draw(st.integers(0, 9)) == 0 else []
    for key in draw(st.lists(KEYS, max_size=5)):
        value = draw(WORDS | VALUES.map(as_json) | TEXTS)
        lines.append(f"{'  ' * draw(st.integers(0, 1))}{key}: {value}\n")
    text = "".join(lines).replace("\n", draw(st.sampled_from(("\n", "\n", "\n", "\r\n", "\r", "\u2028", "\x85", "\f"))))
    opening = draw(
        st.sampled_from(("---\n", "---\n", "---\n", "\ufeff---\n", "---  \r\n", " ---\n", "----\n", "", "---\n---\n"))
    )
    closing = draw(st.sampled_from(("---\n", "---\n", "...\n", "---", "", "--- x\n", "\0")))
    encoding = draw(st.sampled_from(("utf-8", "utf-8", "utf-8", "utf-8", "utf-16", "latin-1")))
    whole = f"{opening}{text}{closing}{draw(TEXTS)}"
    return as_bytes(whole) if encoding == "utf-8" else whole.encode(encoding, "replace")


ROOT = Path(mkdtemp(prefix="program-"))
(ROOT / "train.py").write_text("x = 1\n")
(ROOT / "loop.py").symlink_to("loop.py")
(ROOT / "a dir").mkdir()


def read(data: bytes) -> None:
    (ROOT / "program.md").write_bytes(data)
    try:
        program = load(ROOT, matching)
    except ProgramError as refused:
        one_sentence(str(refused))
        assert "program.md" in str(refused)
        return
    assert isinstance(program, Program)
    changed = e.ProgramChanged(contract=program.contract, text=program.text)
    assert codec.decode(codec.encode(changed)) == changed, "the journal gives back what was read"
    study = Study(contract=program.contract)
    limits.reached(study, 0.0, 0)
    assert study.contract.deadline >= study.contract.budget > 0 and study.contract.protocol_id


def test_any_file_is_a_program_or_one_sentence(budget: Budget) -> None:
    budget.spend("program", front_matter(), read)


@pytest.mark.parametrize("data", corpus.cases("program"))
def test_every_program_of_the_corpus_is_read_or_refused(data: bytes) -> None:
    read(data)
