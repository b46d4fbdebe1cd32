"""The real program in a real terminal: tmux, at both ends of the sizes people use."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from loop.journal import Journal
from loop.study import events as e
from loop.workspace import supervise
from tests.crowded import crowd
from tests.recorded import record
from tests.terminals import PATIENCE, ROOT, Tmux, gone, needs_tmux, whole
from tui.render.layout import VIEWS

pytestmark = needs_tmux

PROGRAM = "import sys; from pathlib import Path; from tui.cockpit.launch import run; sys.exit(run(Path(sys.argv[1])))"


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    server = Tmux(tmp_path)
    yield server
    server.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "my project"
    record(folder / ".looptop" / "journal.db", experiments=12)
    return folder


def start(tmux: Tmux, workspace: Path, size: tuple[int, int] = (80, 24), before: str = "") -> psutil.Process:
    """Start the cockpit in the terminal; its process."""
    tmux.start(*size)
    pid_file = workspace / "pid"
    command = shlex.join([sys.executable, "-P", "-c", PROGRAM, str(workspace)])
    tmux.line(f"sh -c {shlex.quote(f'{before} echo $$ > {shlex.quote(str(pid_file))}; exec {command}')}; echo rc=$?")
    tmux.wait("exp 12")
    tmux.wait("best 0.9")
    return psutil.Process(int(pid_file.read_text()))


def test_80x24_shows_follows_grows_and_shrinks(tmux: Tmux, workspace: Path) -> None:
    with supervise(workspace):
        start(tmux, workspace)
        text = tmux.wait("stale")
        assert "1 runs" in text and "6 mind" in text and "q detach" in text
        with Journal(workspace / ".looptop" / "journal.db") as journal:
            journal.append(e.GaugeRead(cpu=7, ram_used=1, ram_total=2, disk_free=3))
            tmux.wait("live")
            journal.append(e.Thought(researcher="llm", text="written while you watch"), 14)
        tmux.wait("written while you watch")
        tmux.resize(200, 50)
        text = tmux.wait("╯")
        assert all(f"{key} {view}" in text for key, view in list(enumerate(VIEWS, 1))[:6])
        tmux.resize(50, 10)
        tmux.wait(lambda text: "1 runs  2" in text and "q detach" in text)
        tmux.resize(40, 4)
        text = tmux.wait(lambda text: "1 runs" not in text and "q detach" in text)
        assert "live" in text and "best" in text and "run 13.1" in text
        tmux.type("x")
        tmux.wait("no room to ask: needs 24x6, has 40x4")
        tmux.resize(80, 24)
        tmux.wait("q detach")


def test_200x50_shows_everything_and_q_leaves_the_terminal_whole(tmux: Tmux, workspace: Path) -> None:
    with supervise(workspace):
        process = start(tmux, workspace, (200, 50))
        tmux.wait("2 researchers")
        assert tmux.flags() == "100", "the alternate screen, no cursor, and the mouse left to the terminal"
        tmux.type("q")
        tmux.wait("the loop goes on in the background")
        assert "looptop -C" in tmux.screen(), "the command that works from where the person is"
    assert gone(process)
    tmux.wait("rc=0")
    assert whole(tmux)


def test_typed_words_reach_the_journal(tmux: Tmux, workspace: Path) -> None:
    start(tmux, workspace)
    tmux.type("s")
    tmux.wait("steer ▸")
    tmux("send-keys", "-l", "look at the warm-down, größer")
    tmux.type("Enter")
    tmux.wait("sent;")
    tmux.wait("▸ look at the warm-down, größer")
    with Journal(workspace / ".looptop" / "journal.db") as journal:
        steered = journal.read(kinds={"steered"})[-1].body
    assert isinstance(steered, e.Steered) and steered.text == "look at the warm-down, größer" and not steered.interrupt


def test_sigterm_leaves_the_terminal_whole(tmux: Tmux, workspace: Path) -> None:
    process = start(tmux, workspace)
    process.send_signal(signal.SIGTERM)
    assert gone(process)
    tmux.wait("rc=143")
    assert whole(tmux)


@pytest.mark.parametrize("before", ["", "trap '' HUP;"], ids=["as usual", "with SIGHUP ignored"])
def test_a_closed_terminal_ends_the_process(tmux: Tmux, workspace: Path, before: str) -> None:
    process = start(tmux, workspace, before=before)
    tmux("kill-server")
    assert gone(process)


def test_noise_on_fd_2_comes_after_the_screen_not_onto_it(tmux: Tmux, workspace: Path) -> None:
    noisy = "import os, threading; threading.Timer(1.0, lambda: os.write(2, b'NOISE FROM A LIBRARY\\n')).start(); "
    tmux.start(80, 24)
    tmux.line(shlex.join([sys.executable, "-P", "-c", noisy + PROGRAM, str(workspace)]))
    tmux.wait("best 0.9")
    time.sleep(1.5)
    assert "NOISE" not in tmux.screen()
    tmux.type("q")
    tmux.wait(lambda text: "detached from h100-a" in text and "NOISE FROM A LIBRARY" in text)


def test_resizing_while_it_streams_loses_no_word(tmux: Tmux, workspace: Path) -> None:
    start(tmux, workspace)
    with Journal(workspace / ".looptop" / "journal.db") as journal:
        for number, (width, height) in enumerate([(200, 50), (60, 18), (119, 30), (160, 22), (50, 10), (80, 24)] * 2):
            for word in range(10):
                journal.append(e.Thought(researcher="llm", text=f"word{number}.{word} "), 14)
            tmux.resize(width, height)
        journal.append(e.Thought(researcher="llm", text="the end of it"), 14)

    def all_there(text: str) -> bool:
        said = [word for word in text.split() if word.startswith("word11.")]
        return "the end of it" in text and said == [f"word11.{i}" for i in range(10)]

    assert max(map(len, tmux.wait(all_there).splitlines())) <= 80


def test_a_run_is_killed_from_the_screen(tmux: Tmux, workspace: Path) -> None:
    with supervise(workspace):
        start(tmux, workspace)
        tmux.type("x")
        tmux.wait("Kill run 13.1?")
        tmux.type("y")
        tmux.wait("asked to kill run 13.1")
        with Journal(workspace / ".looptop" / "journal.db") as journal:
            killed = journal.read(kinds={"killed"})[-1]
            assert (killed.experiment, killed.run) == (13, 1)
            journal.append(e.RunFinished(outcome="killed", reason="ended by ada", seconds=9), 13, 1)
            journal.append(e.ExperimentJudged(verdict="killed", reason="by ada", by="ada"), 13)
        tmux.wait("13 killed: by ada")


def test_the_title_of_the_terminal_says_how_it_goes(tmux: Tmux, workspace: Path) -> None:
    with supervise(workspace):
        process = start(tmux, workspace)
        until = time.monotonic() + PATIENCE
        while "stale 0.9" not in (title := tmux("display-message", "-p", "#{pane_title}")):
            assert time.monotonic() < until, title
            time.sleep(0.05)
        tmux.type("q")
        assert gone(process)
        tmux.wait("rc=0")
        assert "stale" not in tmux("display-message", "-p", "#{pane_title}"), "the title is as it was before"


def test_the_pager_gets_the_terminal_and_gives_it_back(tmux: Tmux, workspace: Path) -> None:
    tmux.environ["PAGER"] = "sh -c 'head -3 \"$0\"; echo PAGED; read line'"
    start(tmux, workspace)
    tmux.type("9")
    tmux.wait("step 00600")
    tmux.type("o")
    text = tmux.wait("PAGED")
    assert "device: cuda" in text and "1 runs" not in text
    assert tmux.flags() == "001", "the pager has the main screen"
    tmux.type("Enter")
    tmux.wait("step 00600")
    tmux.type("1")
    tmux.wait("llm")
    tmux.type("q")
    tmux.wait("rc=0")
    assert whole(tmux)


def test_copying_in_tmux_goes_into_its_buffer(tmux: Tmux, workspace: Path) -> None:
    start(tmux, workspace)
    tmux.type("3")
    tmux.wait("effect")
    tmux.type("y")
    tmux.wait("to tmux")
    with Journal(workspace / ".looptop" / "journal.db") as journal:
        commits = {event.body.commit for event in journal.read(kinds={"experiment_queued"})}  # type: ignore[union-attr]
    assert tmux("show-buffer").strip() in commits


def test_watching_the_status_writes_over_itself(tmux: Tmux, workspace: Path) -> None:
    tmux.start(80, 24)
    tmux.line(shlex.join([sys.executable, "-P", "-m", "tui.cli", "-C", str(workspace), "status", "--watch"]))
    tmux.wait("12 experiments with a verdict")
    with Journal(workspace / ".looptop" / "journal.db") as journal:
        journal.append(e.ExperimentJudged(verdict="discarded", reason="no gain"), 13)
    text = tmux.wait("13 experiments with a verdict")
    assert text.count("h100-a:") == 1 and "12 experiments" not in text
    tmux.type("C-c")
    tmux.line("echo rc=$?")
    tmux.wait("rc=0")


def test_gnu_screen_s_terminal_is_served_too(tmux: Tmux, workspace: Path) -> None:
    tmux.environ["TERM"] = "screen"
    start(tmux, workspace, (120, 36), before="unset TMUX; TERM=screen; export TERM;")
    tmux.type("3")
    tmux.wait("champion")
    tmux.type("q")
    tmux.wait("rc=0")
    assert whole(tmux)


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_dumb_terminal_and_a_pipe_are_refused_in_a_sentence(workspace: Path, term: str) -> None:
    command = [sys.executable, "-P", "-m", "tui.cli", "-C", str(workspace), "attach"]
    environ = {**os.environ, "TERM": term or "xterm", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 2 and not done.stdout
    assert len(done.stderr.strip().splitlines()) == 1 and "looptop status" in done.stderr


def test_eight_runs_and_four_researchers_at_every_size(tmux: Tmux, tmp_path: Path) -> None:
    path = tmp_path / "many" / ".looptop" / "journal.db"
    crowd(path, record(path, experiments=12, gpus=8))
    with supervise(tmp_path / "many"):
        tmux.start(200, 50)
        tmux.line(shlex.join([sys.executable, "-P", "-c", PROGRAM, str(tmp_path / "many")]))
        text = tmux.wait(lambda text: "vs champ." in text and "65%" in text and "σ" in text)
        assert "6 running · verifying · 2 thinking" in text and "verify " in text and "°C" in text
        assert "GPU 6 idle" in text and "2 wait for you" in text and "heard by llm-a and claude" in text
        tmux.resize(120, 36)
        tmux.wait(lambda text: "2 researchers" in text and "65%" in text and "5 curves" in text and "°C" not in text)
        tmux.resize(80, 24)
        text = tmux.wait(lambda text: "─ 2 researchers ─" in text and "─ 6 mind ─" in text)
        assert text.count("━") > 30 and "idle" in text
        tmux.resize(50, 10)
        tmux.wait(lambda text: "more, j and k" in text and "verify " in text)
        tmux.type("j")
        tmux.type("x")
        tmux.wait("Kill run 14.1?")
        tmux.type("n")
        tmux.wait(lambda text: "Kill run" not in text)
        tmux.type("2")
        tmux.wait("2 researchers")
        tmux.type("j")
        tmux.type("S")
        tmux.wait("say to llm-a")
