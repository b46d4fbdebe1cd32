"""A command line as a researcher, through the real supervisor: real scripts in real worktrees of a real repository."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.researchers.agents.command import Command
from loop.researchers.agents.command_line import UnknownResearcher, first_word
from loop.researchers.protocol import Unusable
from loop.researchers.registry import check
from loop.study import events as e
from loop.workspace import Workspace, supervise
from tests.repositories import git
from tests.researchers.agents.scripts import CLOSE, IMPROVE, Agents, _lives
from tests.researchers.spoken import Spoken
from tests.supervisor.house import SCRIPT

PROGRAMS = Path(__file__).parents[2] / "programs"


async def test_what_it_changes_is_what_it_proposes_and_its_last_words_say_why(agents: Agents) -> None:
    study = await agents.work_with("echo I look around\n" + IMPROVE + CLOSE)
    assert [x.verdict for x in study.experiments.values()] == ["kept", "kept", "kept"]
    one = study.experiments[1]
    assert (one.researcher, one.title, one.hypothesis) == ("agent", "one less", "less is less")
    assert [x.expected for x in study.experiments.values()][1:] == ["-1", "-1"]
    assert study.minds.notebook == ["it is additive", "it is additive"]
    assert "I look around\n" in agents.thoughts()
    told = (agents.out / "told").read_text()
    assert "Go down." in told and "run.sh" in told
    assert git(agents.root, "show", f"{study.branch}:run.sh") + "\n" == SCRIPT.replace("A=5", "A=3")


async def test_what_it_says_by_tool_goes_over_its_last_words(agents: Agents) -> None:
    (agents.folder / "once").mkdir()
    once = Agents(agents.folder / "once", "limits: {experiments: 1}\n")
    study = await once.work_with(f"{IMPROVE}'{sys.executable}' '{PROGRAMS / 'proposes_by_tool.py'}'\n{CLOSE}")
    one = study.experiments[1]
    assert (one.title, one.hypothesis, one.expected) == ("by tool", "no line has to be found", "-1")
    assert study.minds.notebook == ["said by tool", "it is additive"]
    assert "kept so far: 1" in once.thoughts()


async def test_without_closing_lines_the_change_is_the_title(agents: Agents) -> None:
    study = await agents.work_with(IMPROVE)
    assert [x.title for x in study.experiments.values()][1:] == ["A=4", "A=3"]


async def test_a_forbidden_file_is_rejected_by_its_name_and_kept_in_git(agents: Agents) -> None:
    study = await agents.work_with(IMPROVE + "date +%N > other.txt\n")
    one = study.experiments[1]
    assert (one.verdict, one.reason) == ("rejected", "it edits other.txt, and only run.sh may be edited")
    assert one.runs == {}
    assert "A=4" in git(agents.root, "show", f"{one.commit}:run.sh")
    assert (agents.root / "other.txt").read_text() == "not to be edited\n"


async def test_strays_are_told_and_left_out(agents: Agents) -> None:
    study = await agents.work_with(IMPROVE + "mkdir cache; touch cache/a cache/b notes.md\n")
    assert study.experiments[1].verdict == "kept"
    assert "(not part of the proposal: cache/ and notes.md)" in agents.thoughts()
    assert git(agents.root, "ls-tree", "--name-only", study.branch).split() == ["other.txt", "program.md", "run.sh"]


async def test_commits_of_its_own_are_its_change_and_move_nothing_of_the_persons(agents: Agents) -> None:
    commit = "git -c user.name=x -c user.email=x@example.org commit --quiet -am mine && rm -f .git && mkdir .git\n"
    study = await agents.work_with(IMPROVE + commit)
    assert [x.verdict for x in study.experiments.values()] == ["kept", "kept", "kept"]
    assert "mine" not in git(agents.root, "log", "--all", "--format=%s")


async def test_git_variables_of_the_caller_do_not_lead_it_into_the_persons_checkout(
    agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(agents.root / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(agents.root))
    monkeypatch.setenv("OPENAI_API_KEY", "its own")
    study = await agents.work_with('echo "$OPENAI_API_KEY in $PWD"\n' + IMPROVE + "git add run.sh\n")
    assert study.experiments[1].verdict == "kept"
    assert f"its own in {agents.root}/.looptop/trees/workshop-1" in agents.thoughts()


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo I have; echo no idea", "it ended without changing run.sh; its last words: I have no idea"),
        ("touch a b", "it ended without changing run.sh (it made a and b); its last words: none"),
        ("exec nothing-of-this-name", "it ended without changing run.sh (exit code 127); its last words:"),
        ("rm run.sh", "its change cannot be proposed: run.sh was deleted; only run.sh may change, as text"),
        ("rm run.sh; ln -s other.txt run.sh", "its change cannot be proposed: run.sh is a symbolic link now; "),
        ("printf '\\377' > run.sh", "its change cannot be proposed: run.sh is no UTF-8 text any more; "),
        ("printf 'a\\000' > run.sh", "its change cannot be proposed: run.sh is no text file any more; "),
        ("dd if=/dev/zero of=run.sh bs=1M count=3", "its change cannot be proposed: run.sh is larger than 1000 kB; "),
        ("rm -rf ../workshop-1", "its change cannot be proposed: what it did cannot be looked at: "),
    ],
)
async def test_what_can_be_no_proposal_is_said_and_after_five_times_the_loop_ends(
    agents: Agents, script: str, sentence: str
) -> None:
    study = await agents.work_with(script)
    faults = agents.faults()
    assert all(fault.startswith(sentence) for fault in faults[:4])
    assert len(faults) == 6 and faults[5] == faults[4], "the last is also why the loop ends"
    assert faults[4].startswith(f"it made no proposal 5 times in a row, the last time because {sentence}")
    assert list(study.experiments) == [0]
    assert study.supervisor is not None and study.supervisor.failed


async def test_one_that_fails_by_itself_is_asked_again_for_as_long_as_it_takes(agents: Agents) -> None:
    turns = f'echo >> "{agents.folder}/turns"; [ $(wc -l < "{agents.folder}/turns") -ge 9 ] || exit 1\n'
    study = await agents.work_with(turns + IMPROVE + "\n")
    assert len(agents.faults()) == 8, "a limit of its account may pass overnight"
    assert study.experiments[1].verdict == "kept"


async def test_money_of_an_agent_that_names_its_model_is_the_list_price(agents: Agents) -> None:
    ended = '{"type":"turn.completed","usage":{"input_tokens":1000000,"cached_input_tokens":0,"output_tokens":0}}'
    script = agents.folder / "codex.sh"
    script.write_text(f"echo '{ended}'\n" + IMPROVE)
    await agents.work(agents.command(f"sh '{script}' --model claude-sonnet-4-5", 30))
    spent = [event.body for event in agents.events("spent") if isinstance(event.body, e.Spent)]
    assert all(one.model == "claude-sonnet-4-5" and one.usd is not None and one.usd >= 1 for one in spent) and spent


async def test_a_proposal_in_between_starts_the_count_anew(agents: Agents) -> None:
    turns = f'echo >> "{agents.folder}/turns"; [ $(($(wc -l < "{agents.folder}/turns") % 4)) = 0 ] || exit 1\n'
    study = await agents.work_with(turns + IMPROVE)
    assert [x.verdict for x in study.experiments.values()] == ["kept", "kept", "kept"]
    assert len(agents.faults()) == 6


async def test_an_exit_code_does_not_count_against_a_change(agents: Agents) -> None:
    study = await agents.work_with(IMPROVE + "exit 3\n")
    assert [x.verdict for x in study.experiments.values()] == ["kept", "kept", "kept"]
    assert "(it ended with exit code 3; its change is proposed all the same)" in agents.thoughts()


async def test_at_its_deadline_it_is_gone_whole_whatever_it_does(agents: Agents) -> None:
    marks = agents.folder / "marks"
    stubborn = f'LOOPTOP_RUN_DIR="{marks}" exec "{sys.executable}" "{PROGRAMS / "stubborn.py"}"\n'
    study = await agents.work_with(f'mkdir "{marks}" && {stubborn}' + IMPROVE, deadline=1)
    (fault,) = agents.faults()
    assert fault.startswith("it was not done after its deadline of 1 s, and ended; its last words: ")
    pids = [int(path.name) for path in (marks / "pids").iterdir()]
    assert len(pids) == 4 and not any(map(_lives, pids))
    assert [x.verdict for x in study.experiments.values()] == ["kept", "kept", "kept"]


async def test_daemons_that_it_leaves_end_with_it(agents: Agents) -> None:
    daemons = f'"{sys.executable}" "{PROGRAMS / "leaves_daemons.py"}"\n'
    study = await agents.work_with(IMPROVE + daemons)
    assert [x.verdict for x in study.experiments.values()] == ["kept", "kept", "kept"]
    assert len(list((agents.out / "pids").glob("*"))) == 2


async def test_a_flood_is_shown_in_part_and_harms_nothing(agents: Agents) -> None:
    flood = f'"{sys.executable}" "{PROGRAMS / "floods.py"}" 30000\n'
    study = await agents.work_with(flood + IMPROVE + CLOSE)
    assert study.experiments[1].title == "one less"
    assert len(agents.thoughts()) < 2 * 210_000
    assert agents.thoughts().count("(the rest is not shown here)") == 2
    assert (agents.root / ".looptop" / "journal.db").stat().st_size < 4_000_000


async def test_an_agents_json_becomes_words_tools_and_costs(agents: Agents, tmp_path: Path) -> None:
    program = agents.root / "program.md"
    program.write_text(program.read_text().replace("experiments: 2", "usd: 0.5"))
    git(agents.root, "commit", "--quiet", "-am", "Money")
    message = {
        "content": [{"type": "text", "text": "I will.\ntitle: less"}, {"type": "tool_use", "id": "1", "name": "Edit"}]
    }
    usage = {"input_tokens": 900, "output_tokens": 100}
    lines = [
        {"type": "system", "subtype": "init", "model": "claude-x"},
        {"type": "assistant", "message": message},
        {"type": "result", "subtype": "success", "result": "", "total_cost_usd": 0.3, "usage": usage},
    ]
    (tmp_path / "said.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    study = await agents.work_with(IMPROVE + f'cat "{tmp_path / "said.jsonl"}"\n')
    assert [x.title for x in study.experiments.values()][1:] == ["less", "less"]
    assert "I will.\ntitle: less\n" in agents.thoughts() and "{" not in agents.thoughts()
    spent = [event.body for event in agents.events("spent") if isinstance(event.body, e.Spent)]
    assert [(one.researcher, one.usd, one.tokens, one.model) for one in spent] == [("agent", 0.3, 1000, "claude-x")] * 2
    assert study.limit is not None and study.limit.limit == "usd"
    assert [event.body.intent for event in agents.events("tool_called")] == ["Edit", "Edit"]  # type: ignore[union-attr]


async def test_an_interrupt_ends_it_and_the_words_are_in_its_next_briefing(agents: Agents) -> None:
    (agents.root / ".looptop").mkdir()
    spins = f'"{sys.executable}" "{PROGRAMS / "spins.py"}"'
    script = f'cat > "$LOOPTOP_RUN_DIR/told"; grep quicker "$LOOPTOP_RUN_DIR/told" || exec {spins}\n'

    async def interrupt(path: Path) -> None:
        with Journal(path) as journal:
            await agents.until((agents.out / "told").exists)
            journal.append(e.Steered(who="ada", text="quicker, please", interrupt=True))
            await agents.until(lambda: journal.read(kinds={"experiment_judged"}, experiment=1))
            journal.append(e.Stopped(now=True))

    journal_path = Workspace(agents.root).journal
    with supervise(agents.root), Journal(journal_path, create=True) as journal:
        asking = asyncio.create_task(interrupt(journal_path))
        supervisor = agents.supervisor(journal, agents.agent(script + IMPROVE))
        await asyncio.wait_for(supervisor.run(), 60)
        await asking
    agents.at_rest()
    assert "(interrupted)" in agents.thoughts()
    assert "quicker, please" in agents.thoughts(), "grep prints what it found in the briefing"
    assert agents.study().experiments[1].verdict == "kept"
    assert agents.faults() == []


async def test_stopping_the_loop_ends_it_first(agents: Agents) -> None:
    (agents.root / ".looptop").mkdir()
    stubborn = f'exec "{sys.executable}" "{PROGRAMS / "stubborn.py"}"\n'
    journal_path = Workspace(agents.root).journal
    with supervise(agents.root), Journal(journal_path, create=True) as journal:
        supervisor = agents.supervisor(journal, agents.agent(stubborn))
        running = asyncio.create_task(supervisor.run())
        await agents.until(lambda: len(agents.agents_alive()) >= 4)
        os.kill(os.getpid(), signal.SIGTERM)
        end = await asyncio.wait_for(running, 60)
    assert end.reason == "ended by SIGTERM"
    agents.at_rest()


async def test_prepare_says_when_the_command_is_not_there_any_more(tmp_path: Path) -> None:
    tool = tmp_path / "agent"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    command = Command(f"KEY=1 '{tool}' -p", 30)
    assert command.name == "agent"
    await command.prepare(Spoken())
    tool.unlink()
    with pytest.raises(Unusable, match="there is no researcher or command called"):
        await command.prepare(Spoken())


def test_any_command_line_of_the_shell_can_be_a_researcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in ("automl", "llm", "sh -c 'exit 1'", "FOO=1 sh x.sh", "cd sub && sh x.sh", "if true; then sh x; fi"):
        check(command)
    check('"$LOOPTOP_WORKSPACE/agent.sh" -p')
    (tmp_path / "tool").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    check("~/tool -p")
    assert first_word(["A=1", "B=2", "claude", "-p"]) == "claude"
    for command in ("nobody", "A=1", "sh 'unfinished", "", "no/such/file -p"):
        with pytest.raises(UnknownResearcher):
            check(command)
