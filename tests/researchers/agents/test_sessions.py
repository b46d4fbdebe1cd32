"""How a command line goes on in a session, and who speaks in it."""

import pytest

from loop.researchers.agents.command_line import model_named, speaker
from loop.researchers.agents.sessions import resumed


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("claude -p --verbose", "claude"),
        ("python3 -m aider --yes-always", "aider"),
        ("sh ~/my-agent.sh", "my-agent"),
        ("npx --yes @openai/codex@0.171 exec -", "codex"),
        ("FOO=1 env BAR=2 timeout 20m claude -p", "claude"),
        ("cd sub && claude -p", "claude"),
        ("bash -c 'claude -p | tee log'", "claude"),
        ('"/opt/my tools/gemini" --skip-trust', "gemini"),
        ("python3 /home/ada/agent.py --fast", "agent"),
        ("uv run --with x tools/propose.py", "x"),
        ("sh '/home/ada/my agents/mine.sh'", "mine"),
        ("python3 -c 'import mine'", "python3"),
        ("python3", "python3"),
        ("sh 'unfinished", "'unfinished"),
    ],
)
def test_the_speaker_is_the_agent_and_not_what_starts_it(command: str, name: str) -> None:
    assert speaker(command) == name


@pytest.mark.parametrize(
    ("command", "again"),
    [
        ("claude -p --verbose", "claude --resume s1 -p --verbose"),
        ("A=1 /opt/claude -p", "A=1 /opt/claude --resume s1 -p"),
        ("'/my tools/claude' -p", "'/my tools/claude' --resume s1 -p"),
        ("codex exec --json -", "codex exec --json resume s1 -"),
        ("codex exec --json", "codex exec --json resume s1 -"),
        ("gemini --skip-trust", "gemini --resume s1 --skip-trust"),
        ("opencode run --format json", "opencode run --session s1 --format json"),
        ("cd sub && qwen --yolo", "cd sub && qwen --resume s1 --yolo"),
        ("pi -p --mode json", "pi --session s1 -p --mode json"),
        ('agent -p "$(cat)"', 'agent --resume s1 -p "$(cat)"'),
        ("sh my-claude.sh", None),
        ("cd agent && sh run.sh", None),
        ("aider train.py", None),
    ],
)
def test_a_session_is_gone_on_with_where_it_is_known_how(command: str, again: str | None) -> None:
    assert resumed(command, "s1") == again
    assert resumed(command, "") is None


def test_a_session_is_quoted() -> None:
    assert resumed("claude -p", "a; rm -rf b") == "claude --resume 'a; rm -rf b' -p"


def test_the_model_is_read_from_the_command_line() -> None:
    assert model_named("codex exec -m gpt-5.4 -") == "gpt-5.4"
    assert model_named("claude --model=opus -p") == "opus"
    assert model_named("codex exec -c model='gpt-5' -") == "gpt-5"
    assert model_named("python3 -m aider --model openai/gpt-5") == "openai/gpt-5"
    assert model_named("claude -p") == ""
