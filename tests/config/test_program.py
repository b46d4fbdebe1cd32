"""`program.md`: defaults, units, refusals with file and line, and live reload."""

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.config.overrides import Overrides
from loop.config.program import Program, ProgramError, load, parse, watch
from loop.lineage import matching
from loop.study.contract import Contract


def test_no_front_matter_is_the_original_protocol() -> None:
    program = parse("# Improve it\n")
    contract = program.contract
    assert contract.edit == ("train.py",)
    assert contract.run == "python train.py"
    assert (contract.metric, contract.goal) == ("val_bpb", "min")
    assert (contract.budget, contract.deadline) == (300, 600)
    assert contract.limits.experiments is None
    assert contract.limits.failures == 20
    assert program.text == "# Improve it\n"


def test_a_uv_lock_makes_uv_the_default_runner() -> None:
    assert parse("", uv_locked=True).contract.run == "uv run train.py"
    assert parse("---\nrun: make\n---\n", uv_locked=True).contract.run == "make"


def test_every_key_of_the_design_is_read_with_its_unit() -> None:
    contract = parse(
        "---\n"
        "edit: [model.py, train.py]\n"
        "run: python train.py --fast\n"
        "metric: loss\n"
        "goal: max\n"
        "budget: 1.5m\n"
        "deadline: 0.1h\n"
        "verify: python check.py\n"
        "keep: {confidence: 0.95, baseline_runs: 4, max_runs: 7, simpler_wins: false}\n"
        "limits: {experiments: 700, hours: 48, usd: 25, failures: 5, memory: 80GB, disk: 20GB}\n"
        "review: all\n"
        "---\n"
    ).contract
    assert contract.edit == ("model.py", "train.py")
    assert (contract.budget, contract.deadline) == (90, 360)
    assert contract.keep.confidence == 0.95
    assert contract.limits.memory == 80_000_000_000
    assert contract.verify == "python check.py"
    assert contract.review == "all"


def test_the_deadline_follows_the_budget_unless_it_is_stated() -> None:
    assert parse("---\nbudget: 20s\n---\n").contract.deadline == 80
    assert parse("---\nbudget: 1h\n---\n").contract.deadline == 7200


_AT = "program.md:2: "


@pytest.mark.parametrize(
    ("front", "sentence"),
    [
        ("budgt: 5m", "program.md:2: unknown key `budgt` (did you mean `budget`?)"),
        ("keep:\n  confidnce: 0.9", "program.md:3: unknown key `keep.confidnce` (did you mean `confidence`?)"),
        ("budget: soon", "program.md:2: budget: expected a duration such as 20s, 5m or 1h, not 'soon'"),
        ("metric: a\nmetric: b", "program.md:3: `metric` is there twice"),
        ("goal: up", "program.md:2: goal: input should be 'min' or 'max', not 'up'"),
        ("edit: ../secret", "program.md:2: edit: '../secret' is outside the repository"),
        ("edit: 5", "program.md:2: edit: expected a file or a list of files, not 5"),
        ("limits: {disk: much}", "program.md:2: limits.disk: expected a size such as 500MB or 80GB, not 'much'"),
        ("budget: 5m\ndeadline: 1m", "program.md:3: deadline (60 s) is shorter than budget (300 s)"),
        ("keep: {confidence: 2}", "program.md:2: keep.confidence: input should be less than 1, not 2"),
        ("run: '  '", "program.md:2: run: the command is empty"),
        ("[1, 2]: x", "program.md:2: a key must be a plain word"),
        ("just words", "program.md:2: expected lines of `key: value`"),
        ("edit:\n  - *.py", 'program.md:3: a value that begins with `*` needs quotes: "*.py"'),
        ("metric: @best", 'program.md:2: a value that begins with `@` needs quotes: "@best"'),
        ("metric: a: b", "program.md:2: a value with `: ` in it needs quotes"),
        ("edit: ''", "program.md:2: edit: a file without a name; write one such as train.py"),
        ("metric: {name: f, 3: x}", f"{_AT}unknown key `metric.3` (known keys: name, pattern, json, file, take)"),
        ("scales: {1: {}, 2: {rums: 3}}", "program.md:2: unknown key `scales.2.rums` (did you mean `runs`?)"),
        ("edit: [a, 5]", "program.md:2: edit.2: input should be a valid string, not 5"),
        ("budget: yes", "program.md:2: budget: expected a duration such as 20s, 5m or 1h, not yes"),
        ("budget: 2020-01-01", "program.md:2: budget: expected a duration such as 20s, 5m or 1h, not 2020-01-01"),
        ("budget:", "program.md:2: budget: expected a duration such as 20s, 5m or 1h, not nothing"),
        ("limits: {disk: 20 GiBB}", "program.md:2: limits.disk: expected a size such as 500MB or 80GB, not '20 GiBB'"),
        ("\tedit: a", "program.md:2: it begins with a tab; YAML takes only spaces there"),
    ],
)
def test_a_refusal_is_one_sentence_with_file_and_line(front: str, sentence: str) -> None:
    with pytest.raises(ProgramError) as refused:
        parse(f"---\n{front}\n---\ntext\n")
    assert str(refused.value) == sentence


def test_yaml_that_does_not_parse_names_its_line() -> None:
    with pytest.raises(ProgramError, match=r"^program\.md:[34]: "):
        parse("---\nmetric: a\nkeep: {\n---\n")


@pytest.mark.parametrize(
    "line",
    ['run: "sh -c "cd sub && x""', "run: python -c 'print(1)' --name: x", "run: [ -f x ] && python x.py", "run: *.sh"],
)
def test_a_command_that_yaml_reads_in_another_way_is_told_how_to_write(line: str) -> None:
    with pytest.raises(ProgramError, match=r"^program\.md:3: YAML reads this command .*; write `run: \|`"):
        parse(f"---\nmetric: a\n{line}\n---\n")
    assert parse(f"---\nmetric: a\nrun: |\n  {line[5:]}\n---\n").contract.run == f"{line[5:]}\n"


@pytest.mark.parametrize("key", ["run", "verify"])
def test_a_command_whose_quotes_do_not_match_is_refused_by_line(key: str) -> None:
    with pytest.raises(ProgramError, match=rf"^program\.md:3: {key}: .* \(check its quotes\)"):
        parse(f"---\nmetric: a\n{key}: python 'train.py\n---\n")


def test_a_command_in_the_background_is_refused_by_line() -> None:
    with pytest.raises(ProgramError, match=r"^program\.md:2: run: the `&` at its end"):
        parse("---\nrun: nohup python train.py > run.log 2>&1 &\n---\n")
    assert parse("---\nrun: python a.py & python b.py && wait\n---\n").contract.run.endswith("wait")


def test_an_unclosed_front_matter_is_said_so() -> None:
    with pytest.raises(ProgramError, match="no closing `---`"):
        parse("---\nbudget: 5m\n")


def test_yaml_tags_construct_nothing() -> None:
    with pytest.raises(ProgramError):
        parse("---\nbudget: !!python/object/apply:os.system ['true']\n---\n")


@given(st.text(max_size=300))
def test_any_text_is_a_program_or_a_program_error(text: str) -> None:
    for source in (text, f"---\n{text}\n---\n"):
        try:
            parse(source)
        except ProgramError as refused:
            assert "\n" not in str(refused)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "does not exist"), (b"\x00\x01", "is not a text file"), (b"\xff\xfe", "is not a text file")],
)
def test_editable_files_must_be_there_and_be_text(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    (tmp_path / "program.md").write_text("---\nmetric: loss\nedit: train.py\n---\n")
    if content is not None:
        (tmp_path / "train.py").write_bytes(content)
    with pytest.raises(ProgramError, match=sentence) as refused:
        load(tmp_path, matching)
    assert str(refused.value).startswith("program.md:3: edit: train.py")


def test_a_link_out_of_the_repository_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("x = 1\n")
    root = tmp_path / "root"
    root.mkdir()
    (root / "train.py").symlink_to(tmp_path / "outside.py")
    (root / "program.md").write_text("")
    with pytest.raises(ProgramError, match="leads outside the project"):
        load(root, matching)


def test_a_program_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "program.md")
    with pytest.raises(ProgramError, match="is no file; move it away"):
        load(tmp_path, matching)


def test_no_program_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="looptop init"):
        load(tmp_path, matching)


async def test_a_saved_edit_is_seen_and_a_broken_one_is_told(tmp_path: Path) -> None:
    program, train = tmp_path / "program.md", tmp_path / "train.py"
    train.write_text("x = 1\n")
    program.write_text("---\nbudget: 5m\n---\n")
    seen: list[Program | ProgramError] = []

    async def follow() -> None:
        async for found in watch(tmp_path, matching):
            seen.append(found)  # noqa: PERF401 - it never ends, and is looked at meanwhile

    async def save(text: str) -> None:
        """Save as editors do, by renaming a new file over the old, until it has been noticed."""
        count = len(seen)
        while len(seen) == count:
            (tmp_path / "program.md.new").write_text(text)
            (tmp_path / "program.md.new").rename(program)
            await asyncio.sleep(0.3)

    task = asyncio.create_task(follow())
    await asyncio.sleep(0.2)
    await asyncio.wait_for(save("---\nbudget: 7m\n---\n"), 20)
    await asyncio.wait_for(save("---\nbudget: seven\n---\n"), 20)
    await asyncio.wait_for(save("---\nbudget: 9m\n---\n"), 20)
    task.cancel()
    assert isinstance(seen[0], Program) and seen[0].contract.budget == 420
    assert isinstance(seen[1], ProgramError) and "program.md:2: budget" in str(seen[1])
    assert isinstance(seen[2], Program) and seen[2].contract.budget == 540


def test_runs_compare_only_under_the_same_measure() -> None:
    contract = Contract()
    assert contract.protocol_id == Contract(keep={"confidence": 0.9}).protocol_id  # type: ignore[arg-type]
    assert contract.protocol_id != Contract(budget=20).protocol_id
    assert contract.protocol_id != Contract(verify="python check.py").protocol_id


def test_flags_stay_in_force_and_only_tighten_limits() -> None:
    contract = parse("---\nlimits: {experiments: 10}\n---\n").contract
    options = Overrides(experiments=30, budget=20).over({"hours": 2.0, "experiments": 5})
    applied = options.applied(contract)
    assert (applied.limits.experiments, applied.limits.hours) == (10, 2.0)
    assert (applied.budget, applied.deadline) == (20, 80)
    assert Overrides().over(options.model_dump(exclude_none=True)) == options


def test_a_sealed_part_is_refused_where_it_is_written(tmp_path: Path) -> None:
    for text, said in (
        ("sealed: 7", "program.md:2: sealed"),
        ("sealed: {run: x, reed: y}", "reed"),
        ("sealed: {run: 'a \"b'}", "program.md:2: sealed: "),
        ("read: [data]\nsealed: {run: x, read: data/s.bin}", "every run can read it"),
    ):
        with pytest.raises(ProgramError) as refusal:
            parse(f"---\n{text}\n---\n")
        assert said in str(refusal.value), str(refusal.value)
    (tmp_path / "train.py").write_text("x = 1\n")
    (tmp_path / "program.md").write_text("---\nsealed: {run: x, read: gone.bin}\n---\n")
    with pytest.raises(ProgramError, match=r"gone\.bin does not exist"):
        load(tmp_path, matching)
