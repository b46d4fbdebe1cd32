"""Commands by which a person steers: each appends one request to the journal, and says what came of it."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from tui.cli.open_study import Number, Refused, find_experiment, find_root, folded, open_journal, who

if TYPE_CHECKING:
    from loop.study import events as e


def pause(context: typer.Context) -> None:
    """Start no run after the current one.

    Until `looptop resume`. The supervisor stays at work, and costs next to nothing.
    """
    from loop.study import events as e

    _request(context, e.Paused(who=who()))


def resume(context: typer.Context) -> None:
    """Go on after `looptop pause`."""
    from loop.study import events as e

    _request(context, e.Resumed(who=who()))


def steer(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Words for the researcher.")],
    interrupt: Annotated[bool, typer.Option("-i", "--interrupt", help="Cut its present thought short.")] = False,
) -> None:
    """Say something to the researcher.

    It hears it before its next proposal; with -i at once.

    Example: looptop steer "focus on the learning rates"
    """
    from loop.study import events as e

    if not text.strip():
        raise Refused("there are no words to pass on", 2)
    _request(context, e.Steered(who=who(), text=text.strip(), interrupt=interrupt))


def kill(context: typer.Context, number: Number) -> None:
    """End the run of experiment N.

    Or take it out of the queue; its verdict is "killed" and everything of it is kept.
    """
    from loop.study import events as e

    _request(context, e.Killed(who=who()), number)


def approve(context: typer.Context, number: Number) -> None:
    """Let a waiting proposal run.

    Proposals wait where program.md says `review: all`.
    """
    from loop.study import events as e

    _request(context, e.Approved(who=who()), number)


def reject(
    context: typer.Context,
    number: Number,
    why: Annotated[str, typer.Option("--why", help="Your reason; it is kept with the experiment.")] = "",
) -> None:
    """Turn down a waiting proposal."""
    from loop.study import events as e

    _request(context, e.Rejected(who=who(), why=why), number)


def keep(
    context: typer.Context,
    number: Number,
    why: Annotated[str, typer.Option("--why", help="Your reason; it is kept with the experiment.")] = "",
) -> None:
    """Overrule: make experiment N the champion."""
    from loop.study import events as e

    _request(context, e.Overruled(who=who(), verdict="kept", why=why), number)


def discard(
    context: typer.Context,
    number: Number,
    why: Annotated[str, typer.Option("--why", help="Your reason; it is kept with the experiment.")] = "",
) -> None:
    """Overrule: discard the champion N.

    The one before it is champion again.
    """
    from loop.study import events as e

    _request(context, e.Overruled(who=who(), verdict="discarded", why=why), number)


def requeue(context: typer.Context, number: Number) -> None:
    """Run experiment N again, on today's champion."""
    from loop.study import events as e

    _request(context, e.Requeued(who=who()), number)


def branch(context: typer.Context, number: Number) -> None:
    """Go on from experiment N, which was kept earlier.

    It is the champion again: the branch moves to it, and what comes next builds on it. No verdict changes, and the
    champions after it stay where they are. `looptop keep` is for one that the judge discarded.

    Example: looptop branch 12
    """
    from loop.study import events as e

    _request(context, e.Branched(who=who()), number)


def submit(
    context: typer.Context,
    title: Annotated[str, typer.Option("-m", "--title", help="What it is, in a few words.")] = "",
) -> None:
    """Run your own edit of the checkout as an experiment.

    What differs from the experiment that your checkout stands on, else from the baseline. It passes the same guards,
    runs and judge as any other; your checkout stays as it is.

    Example: looptop submit -m "a wider head"
    """
    from loop.pipeline import submission

    root = find_root(context.obj)
    with open_journal(root) as journal:
        found = submission.look_in(root, folded(journal))
    if isinstance(found, str):
        raise Refused(found)
    typer.echo(f"{found.words} on experiment {found.request.parent}")
    _request(context, found.called(title, who()))


def pin(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The guidance.", show_default=False)] = "",
) -> None:
    """Pin guidance that stands in every briefing.

    Until `looptop unpin` takes it back. Without TEXT, list what is pinned.

    Example: looptop pin "leave the tokenizer alone"
    """
    from loop.study import events as e
    from tui.cli.status_text import pin_lines

    if text.strip():
        _request(context, e.Pinned(who=who(), text=text.strip()))
        return
    with open_journal(find_root(context.obj)) as journal:
        typer.echo("\n".join(pin_lines(folded(journal)) or ["nothing is pinned"]))


def unpin(
    context: typer.Context,
    number: Annotated[
        int | None, typer.Argument(metavar="N", help="Number of the pin; all without it.", show_default=False)
    ] = None,
) -> None:
    """Take pinned guidance back."""
    from loop.study import events as e

    with open_journal(find_root(context.obj)) as journal:
        pins = folded(journal).pins
    if not pins:
        raise Refused("nothing is pinned")
    if number is not None and number not in pins:
        raise Refused(f"there is no pin {number}; pinned are {', '.join(map(str, pins))}", 2)
    _request(context, e.Unpinned(who=who(), pin=number))


def stop(
    context: typer.Context,
    now: Annotated[bool, typer.Option("--now", help="End the current run; it is run again after a start.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait until it has stopped.")] = True,
) -> None:
    """Stop the loop after the current run.

    Waits for that. Everything is kept, and `looptop` goes on from there.

    Example: looptop stop --now
    """
    from loop.workspace import supervisor_alive
    from tui.cli.stop import stop_loop

    root = find_root(context.obj)
    if supervisor_alive(root) is None:
        typer.echo("no loop runs here")
        return
    with open_journal(root) as journal:
        for line in stop_loop(root, journal, who(), now=now, wait=wait):
            typer.echo(line)


def _request(context: typer.Context, body: "e.Body", number: int | None = None) -> None:
    """Append a request, wait a moment for what comes of it, and say so."""
    from loop.study import events as e
    from loop.workspace import supervisor_alive

    root = find_root(context.obj)
    with open_journal(root, to_ask=True) as journal:
        if number is not None:
            find_experiment(folded(journal), number)
        seq = journal.append(body, number)
        if supervisor_alive(root) is None:
            typer.echo("noted; no loop runs here now, so it takes effect when `looptop` starts one")
            return
        until = time.monotonic() + 3
        while time.monotonic() < until:
            for event in journal.read(seq, kinds={"request_fulfilled"}):
                if isinstance(event.body, e.RequestFulfilled) and event.body.request == seq:
                    typer.echo(event.body.outcome)
                    return
            time.sleep(0.05)
    later = {"paused": "after the current run", "steered": "before its next proposal", "killed": "when it has ended"}
    typer.echo(f"noted; it takes effect {later.get(body.kind, 'as soon as it can')}")
