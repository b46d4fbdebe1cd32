"""Ways to reach a person who is elsewhere: the terminal's bell, ntfy, a webhook, a command of their own.

`channel` reads what a person has written in their settings; `send` sends one message and says what came back. Addresses
may carry a secret (a topic's name, a token in the path), so `name` is all that is ever shown or put on record.
"""

import asyncio
import os
import shlex
import signal
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, urlsplit

Kind = Literal["bell", "desktop", "ntfy", "webhook", "command"]

TIMEOUT = 10.0
"""Seconds that one try may take."""

NTFY = "https://ntfy.sh"
"""The server of a topic that is named alone."""

_LONGEST = 3500
"""Characters of a message: ntfy takes 4096 bytes."""

_CHAT = 1900
"""Characters under `content`, of which Discord takes 2000."""

_SAID = 200
"""Characters of an answer that are repeated."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One way. `target` is an address, a command line, or empty."""

    kind: Kind
    target: str = ""

    @property
    def far(self) -> bool:
        """Whether it reaches beyond the terminal that shows a cockpit."""
        return self.kind not in ("bell", "desktop")

    @property
    def name(self) -> str:
        """What it is called where others may read: without what may be a secret, such as `ntfy (ntfy.sh)`."""
        if self.kind in ("ntfy", "webhook"):
            return f"{self.kind} ({urlsplit(self.target).hostname})"
        if self.kind == "command":
            return f"command ({shlex.split(self.target)[0].rpartition('/')[2]})"
        return self.kind


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent."""

    kind: str
    """What it is about: best, waiting, fault, end, idle, plateau, digest or test."""
    title: str
    text: str
    urgent: bool = False
    """A person has to do something."""


class NotTaken(Exception):
    """A message was not taken; the text is a sentence without a secret.

    Args:
        lasting: to try again changes nothing until a person has mended something.
    """

    def __init__(self, sentence: str, lasting: bool = False) -> None:
        super().__init__(sentence)
        self.lasting = lasting


def channel(text: str) -> Channel:
    """The channel that a person means.

    Raises:
        ValueError: none is meant; the message is a sentence without what may be a secret.
    """
    kind, _, target = text.strip().partition(":")
    target = target.strip()
    match kind:
        case "bell" | "desktop" if not target:
            return Channel(kind)
        case "ntfy" if target:
            return Channel("ntfy", _address(target if "://" in target else f"{NTFY}/{target}", "ntfy", topic=True))
        case "webhook" if target:
            return Channel("webhook", _address(target, "webhook"))
        case "command" if target:
            try:
                words = shlex.split(target)
            except ValueError:
                words = []
            if not words or "\0" in target:
                raise ValueError("after command: there is no command line; its quotes may not be closed")
            return Channel("command", target)
        case _:
            shown = kind[:20] if kind.isidentifier() and ":" not in text else "it"
            raise ValueError(
                f"{shown} is none of bell, desktop, ntfy:TOPIC, ntfy:https://SERVER/TOPIC, webhook:URL, command:PROGRAM"
            )


def _address(text: str, kind: str, topic: bool = False) -> str:
    try:
        split = urlsplit(text)
        host, _ = split.hostname, split.port
    except ValueError:  # its words would repeat a part of the address
        host = None
    plain = text.isascii() and text.isprintable() and " " not in text
    if not plain or not host or split.scheme not in ("http", "https"):
        raise ValueError(f"after {kind}: there is no address; write one that begins with https://")
    if topic and (not split.path.strip("/") or "/" in split.path.strip("/")):
        raise ValueError("after ntfy: there is no topic; write ntfy:TOPIC, or ntfy:https://SERVER/TOPIC")
    return text


async def send(to: Channel, message: Message, patience: float = TIMEOUT) -> str:
    """Send one message once; returns what came back, such as `200 OK`.

    Raises:
        NotTaken: it did not arrive, or was refused.
    """
    if to.kind == "command":
        return await _run(shlex.split(to.target), message, patience)
    if not to.far:
        raise NotTaken(f"{to.kind} is for the terminal of a cockpit", lasting=True)
    split = urlsplit(to.target)
    if to.kind == "ntfy":
        # As JSON to the server itself: a title in a header could hold no letter beyond ASCII.
        body: dict[str, object] = {
            "topic": split.path.strip("/"),
            "title": message.title,
            "message": message.text[:_LONGEST],
            "priority": 4 if message.urgent else 3,
            "tags": [message.kind],
        }
        return await _post(split._replace(path="/", query="", fragment="").geturl(), body, patience)
    body = {
        "kind": message.kind,
        "title": message.title,
        "message": message.text[:_LONGEST],
        "urgent": message.urgent,
        # What Slack, Mattermost and Google Chat read, and what Discord reads.
        "text": f"{message.title}\n{message.text}"[:_LONGEST],
        "content": f"{message.title}\n{message.text}"[:_CHAT],
    }
    return await _post(to.target, body, patience)


async def _post(address: str, body: dict[str, object], patience: float) -> str:
    import httpx2  # 60 ms, and most people have no such channel

    split = urlsplit(address)
    headers = {}
    if split.password and not split.username:  # a token, as ntfy has them: https://:tk_...@server/topic
        headers["Authorization"] = f"Bearer {unquote(split.password)}"
        address = split._replace(netloc=split.netloc.rpartition("@")[2]).geturl()
    try:
        async with (
            asyncio.timeout(patience),
            httpx2.AsyncClient(timeout=patience) as client,
            client.stream("POST", address, json=body, headers=headers) as answer,
        ):
            said = b""
            async for piece in answer.aiter_raw():
                said += piece
                if len(said) > 4 * _SAID:
                    break
    except (TimeoutError, httpx2.TimeoutException):
        raise NotTaken(f"{split.hostname} did not answer within {patience:g} s") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        raise NotTaken(f"{split.hostname} cannot be reached ({type(error).__name__})") from None
    status = f"{answer.status_code} {answer.reason_phrase}".strip()
    if answer.is_success:
        return status
    words = " ".join(said.decode("utf-8", "replace").split())[:_SAID]
    lasting = answer.status_code < 500 and answer.status_code not in (408, 425, 429)
    raise NotTaken(f"{split.hostname} answered {status}" + (f": {words}" if words else ""), lasting)


async def _run(words: list[str], message: Message, patience: float) -> str:
    """Run a person's command: `{title}`, `{text}` and `{kind}` in it are filled in, and the text is its input."""
    parts = {"{title}": message.title, "{text}": message.text[:_LONGEST], "{kind}": message.kind}
    filled = [_filled(word, parts) for word in words]
    environ = {
        **os.environ,
        "LOOPTOP_KIND": message.kind,
        "LOOPTOP_TITLE": message.title.replace("\0", ""),
        "LOOPTOP_URGENT": str(int(message.urgent)),
    }
    name = words[0].rpartition("/")[2]
    try:
        process = await asyncio.create_subprocess_exec(
            *filled,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environ,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a command line"
        raise NotTaken(f"{name} does not start ({why})", lasting=True) from None
    try:
        async with asyncio.timeout(patience):
            output, _ = await process.communicate(message.text[:_LONGEST].encode("utf-8", "replace"))
    except TimeoutError:
        raise NotTaken(f"{name} did not end within {patience:g} s and was killed") from None
    finally:
        if process.returncode is None:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            await process.wait()
    if process.returncode:
        words_said = " ".join(output.decode("utf-8", "replace").split())[-_SAID:]
        raise NotTaken(f"{name} ended with {process.returncode}" + (f": {words_said}" if words_said else ""))
    return "exit 0"


def _filled(word: str, parts: dict[str, str]) -> str:
    for name, text in parts.items():
        word = word.replace(name, text.replace("\0", ""))
    return word
