"""`looptop notify`: a test message by every way that is set, and what came back."""

import asyncio
import os
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tui.cli.open_study import AsJson, Refused, print_json

if TYPE_CHECKING:
    from loop.machine.channels import Channel, Message


def notify(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT]", help="The message.", show_default="a test")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send a message by every way that `notify` names in your settings, and say what came back.

    The loop itself sends news by the same ways: a new best, what waits for you, faults, the end, idle slots, a plateau,
    and a digest at an hour (`notify_on`, `plateau`, `digest_at`). Exit code 1 where one was not taken.

    Example: LOOPTOP_NOTIFY=ntfy:my-secret-topic looptop notify

    Example: looptop notify "back at nine"
    """
    from loop.config import settings as personal
    from loop.machine.channels import Message

    ways = [way for way in personal.read().notify if way.far]
    if not ways:
        file = personal.config_file(os.environ)
        raise Refused(
            f'no way is set that reaches you elsewhere; write one into {file}, such as notify = "ntfy:TOPIC", '
            '"webhook:URL" or "command:PROGRAM"',
            2,
        )
    text = " ".join(words or ()).strip() or "a test: news of the loop will reach you like this"
    message = Message("test", "looptop", text)
    found = [_sent(way, message) for way in ways]
    if as_json:
        print_json(found)
    else:
        width = max(len(one["way"]) for one in found)
        for one in found:
            typer.echo(f"{one['way']:<{width}}  {'taken' if one['taken'] else 'NOT TAKEN'}: {one['said']}")
    if not all(one["taken"] for one in found):
        raise typer.Exit(1)


def _sent(way: "Channel", message: "Message") -> dict[str, Any]:
    """What came of sending it once."""
    from loop.machine.channels import NotTaken, send
    from loop.sanitize import one_line

    began = time.monotonic()
    try:
        taken, said = True, asyncio.run(send(way, message))
    except NotTaken as error:
        taken, said = False, str(error)
    return {"way": way.name, "taken": taken, "said": one_line(said), "seconds": round(time.monotonic() - began, 3)}
