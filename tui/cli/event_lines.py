"""The loop without a screen: what `looptop run --headless` prints, a plain line for each event as it happens."""

import time
from pathlib import Path

from loop.journal import Journal
from loop.policy import request_table
from loop.reporting import summary
from loop.study import events as e
from loop.study.state import FOLDED, Study, fold
from tui.cli.status_text import safe, sign, word
from tui.render.troubles import clock_words


async def print_events(path: Path) -> None:
    """Print what is appended to the journal at `path` from now on, until the supervisor has stopped."""
    with Journal(path) as journal:
        study: Study = fold(journal.read(kinds=FOLDED))
        async for events in journal.follow(study.seq):
            for event in events:
                study.apply(event)
                if (text := line(event, study)) is not None:
                    print(text, flush=True)
                if event.kind == "supervisor_stopped":
                    print("\n".join(summary.sentences(study)), flush=True)
                    return


def line(event: e.Event, study: Study) -> str | None:
    """One event as a line; None for events that need none, such as samples and thoughts.

    Args:
        study: the study with this event folded in.
    """
    text = _text(event, study)
    if text is None:
        return None
    (line,) = safe([f"{time.strftime('%H:%M:%S', time.localtime(event.at))}  {text}"])
    return line


def _text(event: e.Event, study: Study) -> str | None:
    number = event.experiment
    match event.body:
        case e.StudyStarted(branch=branch, contract=contract):
            better = "lower" if contract.goal == "min" else "higher"
            return f"study on branch {branch}: {contract.metric}, {better} is better"
        case e.SupervisorStarted(pid=pid, slots=slots):
            return f"supervisor {pid} at work, slots: {', '.join(slots)}"
        case e.Stopped(now=False) if running := study.running():
            experiment, run = running[0]
            name = f"{experiment.id}.{run.number}"
            who = event.body.who or "a person"
            return f"{who} asked to stop the loop after run {name} (ctrl+c once more ends it at once)"
        case e.SupervisorStopped(reason=reason, failed=failed):
            return f"{'FAILED' if failed else 'stopped'}: {reason}"
        case e.ProgramChanged(changed=changed):
            return f"program.md changed: {', '.join(changed)}"
        case e.LimitReached(reason=reason):
            return f"limit reached: {reason}"
        case e.Fault(where=where, message=message):
            return f"! {where}: {message}"
        case e.Recovered(where=where):
            return f"{where} works again"
        case e.ClockMoved() as moved:
            return clock_words(moved)
        case e.ResearcherJoined(name=name, about=about):
            return f"{name} proposes: {about}"
        case e.CheckoutChanged(files=files, lines_added=added, lines_removed=removed) if files:
            return f"{', '.join(files)} changed in your checkout (+{added} -{removed}): looptop submit runs it"
        case e.ExperimentProposed(title=title, researcher=researcher):
            return f"experiment {number} by {researcher}: {title}"
        case e.ApprovalAsked(reason=reason):
            return f"experiment {number} is waiting for your approval ({reason}): looptop approve {number}"
        case e.RunStarted(seed=seed, budget=budget):
            return f"run {number}.{event.run} started: seed {seed}, budget {budget:g} s"
        case e.RunFinished() as run:
            return _finished(run, f"run {number}.{event.run}")
        case e.Verified(metric=metric, reason=reason, check=check):
            found = f"{metric:.6g}" if metric is not None else f"{check} failed: {reason}"
            return f"run {number}.{event.run} verified: {found}"
        case e.ExperimentJudged(verdict=verdict, reason=reason):
            return f"experiment {number} {sign(verdict)} {word(verdict)}: {reason}"
        case e.ChampionChanged(metric=metric) if number:
            return f"new champion: experiment {number}" + ("" if metric is None else f", {metric:.6g}")
        case e.RequestFulfilled(outcome=outcome):
            return f"→ {outcome}"
        case e.Request() as request:
            return _request(request, number, event.run)
        case _:
            return None


def _finished(run: e.RunFinished, name: str) -> str:
    text = f"{name} {run.outcome.replace('_', ' ')} after {run.seconds:.1f} s"
    if run.reason:
        text += f": {run.reason}"
    if run.leftovers:
        text += f" ({run.leftovers} leftover processes ended)"
    if run.outcome.is_broken and run.tail:
        text += "".join(f"\n          | {tail}" for tail in run.tail.splitlines()[-15:])
    return text


def _request(request: e.AnyRequest, number: int | None, run: int | None) -> str:
    words = ""
    if isinstance(request, e.Steered | e.Pinned):
        words = f": {request.text}"
    elif isinstance(request, e.Submitted):
        words = f": {request.title}"
    asked = request_table.of(request).words(number, run)
    return f"{request.who or 'a person'} asked to {asked}{words}"
