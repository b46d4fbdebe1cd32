"""`researchers:` in program.md: what it says, and each mistake with its line and the key to change."""

import pytest

from loop.config.program import ProgramError, parse

BOLD = "{kind: llm, name: bold, model: m, at_once: 3, temperature: 1, role: Be bold., usd: 5}"
FRONT = f"---\nresearchers:\n  - llm\n  - {BOLD}\n"


def test_each_entry_is_a_kind_or_says_more() -> None:
    first, second, third = parse(f"{FRONT}  - kind: claude -p\n    share: 0.5\n---\n").contract.researchers
    assert (first.kind, first.name, first.at_once, first.share) == ("llm", "", None, 1)
    assert (second.name, second.model, second.at_once, second.temperature) == ("bold", "m", 3, 1)
    assert (second.role, second.usd) == ("Be bold.", 5)
    assert (third.kind, third.share) == ("claude -p", 0.5)
    assert [one.kind for one in parse("---\nresearchers: automl\n---\n").contract.researchers] == ["automl"]
    assert parse("---\nresearcher: llm\n---\n").contract.protocol_id == parse(f"{FRONT}---\n").contract.protocol_id


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ("  - llm\n  - {kind: llm, at_onc: 3}", "4: unknown key `researchers.2.at_onc` (did you mean `at_once`?)"),
        ("  - {kind: llm, at_once: 0}", "3: researchers.1.at_once: input should be greater than or equal to 1, not 0"),
        ("  - {name: bold}", "3: researchers.1: a researcher needs a kind: llm, automl, hybrid, or the command"),
        ("  - {kind: llm, name: a}\n  - {kind: automl, name: a}", "2: researchers: two researchers are called a;"),
        ("  - {kind: llm, name: a b}", "3: researchers.1.name: 'a b' is no name: take letters, digits, dots and"),
        ("  - {kind: llm, name: you}", "3: researchers.1.name: you means something else in looptop; take another name"),
        ("  - {kind: automl, temperature: 1}", "3: researchers.1: temperature is for llm and hybrid only, and this"),
        ("  - {kind: automl, role: Be bold.}", "3: researchers.1: role is not for automl, which proposes within"),
        ("  - {kind: llm, usd: .inf}", "3: researchers.1.usd: input should be a finite number, not .inf"),
        ("  - {kind: llm, kind: automl}", "3: `kind` is there twice"),
        ("  - llm\nresearcher: automl", "2: researchers and `researcher` both say who proposes; keep one of them"),
        ("  3", "2: researchers: expected a list of researchers, such as [llm, automl], not 3"),
        ("  - ''", "3: researchers.1.kind: it is empty"),
        ("\n".join(["  - llm"] * 17), "2: researchers: there are 17 researchers, and 16 are the most"),
    ],
)
def test_a_mistake_is_told_with_its_line(entries: str, sentence: str) -> None:
    with pytest.raises(ProgramError) as told:
        parse(f"---\nresearchers:\n{entries}\n---\n")
    assert str(told.value).startswith(f"program.md:{sentence}"), str(told.value)
