"""A replay: the screens of a past moment are those that were there at the time, and its keys move that moment."""

from pathlib import Path

import pytest
from textual.pilot import Pilot

from loop.journal import Journal
from loop.study import events as e
from loop.study.folding import fold
from tests.recorded import record
from tests.tui.cockpit.cockpits import Cockpit, journal_of, screen, settle
from tests.tui.cockpit.test_snapshots import snapshot
from tui.model.replay import Replay
from tui.screens.experiment import ExperimentSheet


def moments(events: list[e.Event]) -> list[int]:
    """Places that look different: in a run, after a verification, in a thought, behind a crash, in the last run."""
    starts = [event.seq for event in events if event.kind == "run_started"]
    verified = [event.seq for event in events if event.kind == "verified"]
    thoughts = [event.seq for event in events if event.kind == "thought"]
    crashed = next(
        event.seq for event in events if isinstance(event.body, e.ExperimentJudged) and event.body.verdict == "crashed"
    )
    return sorted({starts[4] + 20, verified[7], thoughts[len(thoughts) // 2], crashed, events[-1].seq - 60})


def shown(app: Cockpit) -> str:
    """Every cell with its look, but for the last line: there the keys are, or the time line."""
    rows = snapshot(app).split("\n")
    height = app.size.height
    return "\n".join([*rows[: height - 1], *rows[height + 1 : 2 * height]])


async def at(app: Cockpit, pilot: Pilot[None], seq: int) -> str:
    """The screen of a replay at an event."""
    assert app.replay is not None
    place = app.journal.read(seq - 1, until=seq)[0]
    app._aim(type(app.replay.place)(seq, place.at))
    for _ in range(400):
        await pilot.pause(0.01)
        if app._shown == app.replay.place:
            break
    await drawn(app, pilot)
    return shown(app)


async def drawn(app: Cockpit, pilot: Pilot[None]) -> None:
    await pilot.pause(0.02)
    app.flush()
    app.tick()
    app.draw_charts()
    await pilot.pause(0.02)


def log(workspace: Path, events: list[e.Event], seq: int, until: int) -> None:
    """The log of the run that goes on at an event, or has gone on last: a line a step, up to another event."""
    ran = [x for x in events[:seq] if x.kind == "run_started"][-1]
    mine = [x.body for x in events[:until] if (x.experiment, x.run) == (ran.experiment, ran.run)]
    steps = [body.step for body in mine if isinstance(body, e.StepSampled)]
    folder = workspace / ".looptop" / "runs" / f"{ran.experiment}.{ran.run}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log.txt").write_text("\n".join(["begins", *(f"step {step:05d} | loss 2.5" for step in steps), ""]))


@pytest.mark.parametrize(("size", "views"), [((200, 50), "1"), ((80, 24), "123456789")])
async def test_the_past_looks_as_it_did_when_it_was_now(
    tmp_path: Path, utc: None, size: tuple[int, int], views: str
) -> None:
    whole, now = tmp_path / "whole", tmp_path / "now"
    record(whole / ".looptop" / "journal.db", experiments=16)
    with journal_of(whole) as journal:
        events = journal.read()
    places = moments(events)
    clock = events[0].at
    then: dict[tuple[int, str], str] = {}
    (now / ".looptop").mkdir(parents=True)
    live = Journal(now / ".looptop" / "journal.db", create=True)
    app = Cockpit(now, alive=lambda root: 4242, now=lambda: clock)
    async with app.run_test(size=size) as pilot:
        done = 0
        for seq in places:
            part = events[done:seq]
            log(now, events, seq, seq)
            clock, done = part[-1].at, seq
            live.append_all([(x.body, x.experiment, x.run) for x in part], at=[x.at for x in part])
            await settle(app, pilot)
            for view in views:
                await pilot.press(view)
                app.hush()  # what has happened since the last key, which may cover lines
                await drawn(app, pilot)
                then[seq, view] = shown(app)
    for seq in places:
        log(whole, events, seq, len(events))
    app = Cockpit(whole, alive=lambda root: 4242, now=lambda: events[-1].at + 99)
    async with app.run_test(size=size) as pilot:
        await settle(app, pilot)
        await pilot.press("T")
        for seq in [places[-1], places[1], *places[2:], places[0]]:  # back, on, and back again
            for view in views:
                await pilot.press(view)
                found = await at(app, pilot, seq)
                assert found == then[seq, view], f"event {seq}, view {view}"
                assert "replay" in screen(app)[-1]


@pytest.fixture
async def replaying(tmp_path: Path) -> tuple[Path, list[e.Event]]:
    record(tmp_path / ".looptop" / "journal.db", experiments=8, stopped="a person stopped it")
    with journal_of(tmp_path) as journal:
        return tmp_path, journal.read()


async def test_its_keys_move_the_moment_and_nothing_is_asked(replaying: tuple[Path, list[e.Event]]) -> None:
    workspace, events = replaying
    verdicts = [event for event in events if event.kind == "experiment_judged"]
    app = Cockpit(workspace, now=lambda: events[-1].at + 99)
    async with app.run_test(size=(120, 30)) as pilot:
        await settle(app, pilot)
        await pilot.press("comma")
        await pilot.pause(0.05)
        assert app.message is not None and "T goes back in time" in app.message[0] and app.replay is None
        await pilot.press("T", "comma", "comma")
        await pilot.pause(0.2)
        assert app.known.study.seq == verdicts[-2].seq and app.now() == verdicts[-2].at
        assert app.life.alive, "the supervisor was at work then"
        await pilot.press("full_stop")
        await pilot.pause(0.1)
        assert app.known.study.seq == verdicts[-1].seq
        await pilot.press("x")
        await pilot.pause(0.05)
        assert app.message is not None and "this is the past" in app.message[0]
        app.obey("replay 3")
        await pilot.pause(0.2)
        assert app.known.study.seq == next(x.seq for x in verdicts if x.experiment == 3)
        app.open_experiment(3)
        await pilot.pause(0.05)
        assert isinstance(app.sheet, ExperimentSheet) and app.sheet.found.verdict is not None
        await pilot.press("escape", "greater_than_sign", "p")
        assert app.replay is not None and app.replay.playing and app.replay.speed == 240
        for _ in range(40):
            app._play()
            await pilot.pause(0.01)
        assert app.known.study.seq > next(x.seq for x in verdicts if x.experiment == 3)
        await pilot.press("T")
        await settle(app, pilot)
        assert app.replay is None and app.known.study.seq == events[-1].seq and app.life.word == "stopped"
        assert app.now() == events[-1].at + 99 and "replay" not in screen(app)[-1]


def test_a_replay_skips_what_is_dull_and_ends_at_the_end(replaying: tuple[Path, list[e.Event]]) -> None:
    workspace, events = replaying
    with journal_of(workspace) as journal:
        last = events[-1].at
        journal.append(e.SupervisorStarted(pid=7, host="h", version="1"), at=last + 86400)
        journal.append(e.Paused(), at=last + 86401)
        replay = Replay(journal, speed=60)
        replay.place = replay.at(last)
        replay.playing = True
        assert replay.after(0.25).at == last + 86400, "not a day of nothing"
        replay.place = replay.after(0.25)
        assert replay.after(0.25) == replay.end and not replay.playing
        with pytest.raises(ValueError, match="experiment 99 has no verdict"):
            replay.meant("99")
        with pytest.raises(ValueError, match="is no moment"):
            replay.meant("soon")
        assert replay.meant("#3") == replay.meant("3") and replay.wound(-2.0).at == replay.begin.at


def test_a_supervisor_that_was_killed_is_gone_in_the_replay_too(replaying: tuple[Path, list[e.Event]]) -> None:
    workspace, events = replaying
    with journal_of(workspace) as journal:
        start = events[-1].at + 100
        journal.append(e.SupervisorStarted(pid=7, host="h", version="1"), at=start)
        journal.append(e.Resumed(), at=start + 10)
        journal.append(e.SupervisorStarted(pid=8, host="h", version="1"), at=start + 500)
        replay = Replay(journal)
        for moment, pid in ((start + 5, 7), (start + 12, 7), (start + 60, None), (start + 500, 8), (start - 50, None)):
            place = replay.at(moment)
            assert replay.pid(fold(journal.read(until=place.seq)), place) == pid, moment - start
