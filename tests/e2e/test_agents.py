"""A coding agent as the researcher, through the real command line: it proposes, and nothing of it outlives the loop."""

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from loop.study import events as e
from tests.e2e.conftest import Bench
from tests.e2e.test_loop import fingerprint

PROGRAMS = Path(__file__).parents[1] / "programs"

IMPROVE = """\
cat > "$LOOPTOP_WORKSPACE/.looptop/workshop/told"
depth=$(sed -n 's/^DEPTH = \\([0-9]*\\).*/\\1/p' train.py)
sed -i "s/^DEPTH = .*/DEPTH = $((depth + 1))/; s/^WARMUP = .*/WARMUP = 0.$(date +%N)/" train.py
echo "title: one layer more"
echo "hypothesis: deeper is better"
"""


@pytest.fixture
def agents(bench: Bench) -> Bench:
    bench.program(limits={"experiments": 2}, keep={"baseline_runs": 2, "max_runs": 2})
    bench.environment["LOOPTOP_THINKING"] = "30s"
    return bench


HANGS = f'exec "{sys.executable}" "{PROGRAMS / "stubborn.py"}"\n'
"""Never ends, and leaves what it can."""


def workshop(bench: Bench) -> Path:
    return bench.root / ".looptop" / "workshop" / "1"


def test_a_committed_script_named_on_the_command_line_proposes(agents: Bench) -> None:
    agents.write("agent.sh", IMPROVE)
    agents.git("add", "agent.sh")
    agents.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "An agent")
    before = fingerprint(agents.root)
    agents.looptop("run", "--headless", "--researcher", "sh agent.sh")
    study = agents.consistent()
    assert fingerprint(agents.root) == before
    assert [x.title for x in study.experiments.values()] == ["baseline", "one layer more", "one layer more"]
    made = [x for x in study.experiments.values() if x.id]
    assert all(x.verdict in ("kept", "discarded") and x.researcher == "agent" for x in made)
    assert "DEPTH = 5" in agents.git("show", f"refs/looptop/{study.tag}/1:train.py")
    assert "Make it better." in (agents.root / ".looptop" / "workshop" / "told").read_text()


def test_the_program_names_the_researcher_and_a_script_may_lie_outside_of_git(agents: Bench) -> None:
    agents.write("agent.sh", IMPROVE + "echo '# x' >> program.md\n")
    agents.program(limits={"experiments": 1}, researcher='sh "$LOOPTOP_WORKSPACE/agent.sh"')
    agents.looptop("run", "--headless")
    study = agents.consistent()
    rejected = study.experiments[1]
    assert (rejected.verdict, rejected.runs) == ("rejected", {})
    assert rejected.reason == "it edits program.md, and only train.py may be edited"
    assert "# x" not in (agents.root / "program.md").read_text()


def test_an_agent_that_changes_nothing_is_told_in_a_sentence_and_without_a_traceback(agents: Bench) -> None:
    agents.write("agent.sh", f'mkdir "$LOOPTOP_WORKSPACE/once" && exit 3\n{IMPROVE}')
    agents.program(limits={"experiments": 1}, researcher='sh "$LOOPTOP_WORKSPACE/agent.sh"')
    done = agents.looptop("run", "--headless")
    (said,) = [fault.message for _, fault in agents.consistent().faults if fault.where == "agent"]
    assert said == "it ended without changing train.py (exit code 3); its last words: none"
    assert said in done.stdout and "ProposalFailed" not in done.stdout + done.stderr


def test_an_unknown_researcher_is_refused_with_what_is_known(bench: Bench) -> None:
    refused = bench.looptop("run", "--headless", "--researcher", "nobody-at-all -p", code=2)
    assert "there is no researcher or command called 'nobody-at-all'; known: automl, llm" in refused.stderr
    assert bench.looptop("--researcher", "sh 'unfinished", code=2).stderr.count("\n") == 1
    assert "command line of a coding agent" in " ".join(bench.looptop("run", "--help").stdout.split())


def test_an_interrupt_reaches_it_and_its_next_briefing(agents: Bench) -> None:
    waits = 'tee -a "$LOOPTOP_WORKSPACE/.looptop/workshop/told" | grep -q "focus on DEPTH" || sleep 600\n'
    agents.write("waits.sh", waits + IMPROVE.partition("\n")[2])
    agents.looptop("--researcher", 'sh "$LOOPTOP_WORKSPACE/waits.sh"')
    told = agents.root / ".looptop" / "workshop" / "told"
    agents.until(lambda: told.exists() and told.read_text())
    assert "focus on DEPTH" not in told.read_text()
    agents.looptop("steer", "-i", "focus on DEPTH")
    agents.until(lambda: agents.study().judged() >= 1)
    agents.looptop("stop", "--now")
    study = agents.consistent()
    assert study.experiments[1].title == "one layer more"
    assert "(interrupted)" in "".join(event.body.text for event in agents.events("thought"))  # type: ignore[union-attr]
    assert "focus on DEPTH" in told.read_text()


def test_stop_now_ends_it(agents: Bench) -> None:
    agents.write("hangs.sh", HANGS)
    agents.looptop("--researcher", 'sh "$LOOPTOP_WORKSPACE/hangs.sh"')
    marks = workshop(agents) / "out" / "pids"
    agents.until(lambda: marks.exists() and len(list(marks.iterdir())) == 4)
    assert "stopped" in agents.looptop("stop", "--now").stdout
    assert not any(map(_lives, marks.iterdir()))
    agents.consistent()


def test_after_kill_9_of_the_supervisor_nothing_of_it_is_left(agents: Bench) -> None:
    agents.write("hangs.sh", HANGS)
    agents.looptop("--researcher", 'sh "$LOOPTOP_WORKSPACE/hangs.sh"')
    marks = workshop(agents) / "out" / "pids"
    agents.until(lambda: marks.exists() and len(list(marks.iterdir())) == 4)
    assert agents.pid is not None
    before = list(marks.iterdir())
    os.kill(agents.pid, signal.SIGKILL)
    agents.until(lambda: not any(map(_lives, before)))
    assert [path.name for path in (agents.root / ".looptop" / "trees").iterdir()] == ["workshop-1"]
    agents.write("hangs.sh", IMPROVE)
    agents.looptop("run", "--headless")
    study = agents.consistent()
    assert study.judged() == 2
    starts = [
        event.body.options
        for event in agents.events("supervisor_started")
        if isinstance(event.body, e.SupervisorStarted)
    ]
    assert len(starts) == 2 and starts[0] == starts[1], "who proposes stays in force"


def _lives(mark: Path) -> bool:
    try:
        return psutil.Process(int(mark.name)).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
