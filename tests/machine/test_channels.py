"""A message by each way: what arrives, and what is said where it does not."""

import sys
from pathlib import Path

import pytest

from loop.machine.channels import Channel, Message, NotTaken, channel, send
from tests.listener import listening

MESSAGE = Message("best", "h100-a – ünï", "experiment 37 is the champion\nat 0.9", urgent=True)


async def test_ntfy_gets_json_and_a_token_as_it_wants_them() -> None:
    with listening() as server:
        address = server.address.replace("//", "//:tk_s%2F3@")
        assert await send(channel(f"ntfy:{address}/my-topic"), MESSAGE) == "200 OK"
        assert await send(channel(f"ntfy:{server.address}/other"), MESSAGE) == "200 OK"
        first = server.posted[0]
        assert (first["topic"], first["title"], first["message"]) == ("my-topic", MESSAGE.title, MESSAGE.text)
        assert (first["priority"], first["tags"]) == (4, ["best"]) and server.paths == ["/", "/"]
        assert server.headers[0]["Authorization"] == "Bearer tk_s/3" and "Authorization" not in server.headers[1]


async def test_a_webhook_gets_what_chats_read() -> None:
    with listening() as server:
        assert await send(channel(f"webhook:{server.address}/hook/secret?x=1"), MESSAGE) == "200 OK"
        assert server.paths == ["/hook/secret?x=1"]
        posted = server.posted[0]
        assert posted["text"] == posted["content"] == f"{MESSAGE.title}\n{MESSAGE.text}"
        assert (posted["kind"], posted["urgent"]) == ("best", True)
        await send(channel(f"webhook:{server.address}/"), Message("digest", "t", "x" * 90_000))
        assert len(server.posted[1]["content"]) < 2000 < len(server.posted[1]["message"]) < 4000


@pytest.mark.parametrize(("status", "lasting"), [(404, True), (401, True), (302, True), (429, False), (503, False)])
async def test_a_refusal_is_a_sentence_without_the_secret(status: int, lasting: bool) -> None:
    with listening(status) as server, pytest.raises(NotTaken) as refused:
        await send(channel(f"webhook:{server.address}/secret"), MESSAGE)
    assert refused.value.lasting is lasting
    assert str(refused.value).startswith(f"127.0.0.1 answered {status}") and str(refused.value).endswith(": words")
    assert "secret" not in str(refused.value)


async def test_who_is_silent_or_not_there_is_named() -> None:
    with listening() as server:
        server.silent.set()
        with pytest.raises(NotTaken, match=r"127\.0\.0\.1 did not answer within 0\.2 s") as silent:
            await send(channel(f"ntfy:{server.address}/t"), MESSAGE, 0.2)
        assert not silent.value.lasting
    with pytest.raises(NotTaken, match=r"127\.0\.0\.1 cannot be reached"):
        await send(channel(f"webhook:{server.address}/secret"), MESSAGE)


async def test_a_command_gets_the_message_and_its_words_filled_in(tmp_path: Path) -> None:
    script = tmp_path / "say.py"
    script.write_text(
        "import os, sys\nwords = [*sys.argv[2:], sys.stdin.read(), os.environ['LOOPTOP_KIND']]\n"
        "open(sys.argv[1], 'w').write('|'.join(words))"
    )
    line = f"command:{sys.executable} {script} {tmp_path / 'out'} '{{title}}; rm' x"
    assert await send(channel(line), MESSAGE) == "exit 0"
    assert (tmp_path / "out").read_text() == f"{MESSAGE.title}; rm|x|{MESSAGE.text}|best"
    with pytest.raises(NotTaken, match=r"sh ended with 3: no luck"):
        await send(channel("command:sh -c 'echo no luck; exit 3'"), MESSAGE)
    with pytest.raises(NotTaken, match=r"sh did not end within 0\.2 s and was killed"):
        await send(channel("command:sh -c 'sleep 60; true'"), MESSAGE, 0.2)
    with pytest.raises(NotTaken, match="nowhere does not start") as gone:
        await send(channel("command:/bin/nowhere x"), MESSAGE)
    assert gone.value.lasting


def test_a_name_holds_no_secret() -> None:
    assert channel("ntfy:my-topic") == Channel("ntfy", "https://ntfy.sh/my-topic")
    ways = [
        "ntfy:my-topic",
        "webhook:https://u:pw@hooks.example.com/T0/B0?key=1",
        "command:/opt/x/tell --key 1",
        "bell",
    ]
    assert [channel(way).name for way in ways] == [
        *("ntfy (ntfy.sh)", "webhook (hooks.example.com)", "command (tell)", "bell")
    ]
