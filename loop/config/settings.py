"""Settings of a machine or a person: `LOOPTOP_*` variables over `~/.config/looptop/config.toml`. Flags go over both.

Nothing here belongs to a study: what the numbers mean is in `program.md`. The file is read, never written, and a
file that is not there is no error. It is read with the standard library alone, because the cockpit reads it before
its first paint. `OPENAI_API_KEY` and `OPENAI_BASE_URL` count where our own `LOOPTOP_API_KEY` and `LOOPTOP_BASE_URL`
are not set.

    theme = "light"
    notify = ["bell", "ntfy:my-secret-topic"]
    model = "qwen3-coder"
    base_url = "http://localhost:8000/v1"

    [prices]                      # US dollars per million tokens, for a model that no price list knows
    read = 0.25
    written = 2.0

    [keymap]
    kill = "ctrl+k"
"""

import datetime
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from loop.errors import UserError
from loop.machine.channels import Channel, channel
from loop.policy.news import News
from loop.study.slot_plan import Slots
from loop.study.values import Seconds

Sandboxes = Literal["auto", "bubblewrap", "landlock", "off"]

THEMES = ("dark", "light", "contrast", "ansi", "mono")
"""Names of the cockpit's colours."""


class SettingsError(UserError):
    """The settings cannot be used; the message is a sentence that names the file or the variable."""


class Prices(BaseModel):
    """US dollars per million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    read: float = Field(ge=0, allow_inf_nan=False)
    written: float = Field(ge=0, allow_inf_nan=False)
    cached: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Tokens read from a cache; None: as much as `read`."""


def _address(value: Any) -> Any:
    """A base URL; one with a name or a key in it is refused, because it is shown and recorded."""
    if isinstance(value, str) and "@" in value.partition("://")[2].partition("/")[0]:
        raise ValueError("it must not hold a name or a key; the key goes into OPENAI_API_KEY")
    if isinstance(value, str):
        if not value.startswith(("http://", "https://")):
            raise ValueError("it must begin with http:// or https://")
        from urllib.parse import urlsplit  # 3 ms, and most people name no endpoint

        try:
            split = urlsplit(value)
            host = split.hostname if split.port != 0 else None
        except ValueError:  # its words hold a part of the value, in which there may be a key
            host = None
        if not host or not value.isprintable() or " " in value:
            raise ValueError("it is no address; write one such as http://localhost:8000/v1")
    return value


Address = Annotated[str, BeforeValidator(_address)]


def _key(value: Any) -> Any:
    """A key without the white space that files and variables put around it.

    One that no header can carry is refused here: the refusal of whoever sends it would quote it, escaped.
    """
    if isinstance(value, str):
        value = value.strip()
        if not (value.isascii() and value.isprintable()):
            raise ValueError("there is a sign in it that no key has; copy it anew")
    return value


Key = Annotated[SecretStr, BeforeValidator(_key)]


def _cluster(value: Any) -> Any:
    """Where a cluster is: `auto`, HOST:PORT, ray://HOST:PORT, or `off`."""
    if not isinstance(value, str) or value in ("auto", "off"):
        return value
    host, _, port = value.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal() or not value.isprintable() or set(host) & set(" @/?#"):
        raise ValueError("it must be auto, HOST:PORT, ray://HOST:PORT, or off")
    return value


Cluster = Annotated[str, BeforeValidator(_cluster)]


def _node_names(value: Any) -> Any:
    """Names of nodes, with commas between or as a list; `all` is every one."""
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(name, str) for name in given):
        raise ValueError("write the names of nodes with commas between, such as gpu1,gpu2, or all")
    names = tuple(dict.fromkeys(name.strip() for name in given if name.strip()))
    if wrong := [name for name in names if not name.isprintable() or set(name) & set(" /;")]:
        raise ValueError(f"{wrong[0]!r} is no name of a node; `looptop cluster check` lists them")
    if not names and isinstance(value, str):
        raise ValueError("it names no node; write all for every one")
    return () if names == ("all",) else names


NodeNames = Annotated[tuple[str, ...], BeforeValidator(_node_names)]


def _words(value: Any) -> Any:
    """Several words; in a variable they have commas between."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


_NEXT_WAY = re.compile(r",\s*(?=(?:off|bell|desktop|both)\s*(?:,|$)|(?:ntfy|webhook|command):)")
"""The commas between ways to reach a person, and not those within a command line."""


def _ways(value: Any) -> Any:
    """Ways to reach a person, from what they have written."""
    given = _NEXT_WAY.split(value) if isinstance(value, str) else value
    if not isinstance(given, list | tuple):
        raise ValueError("write one way or a list of them, such as bell, or ntfy:TOPIC")
    ways: list[Channel] = []
    for one in given:
        if isinstance(one, Channel):
            ways.append(one)
        elif not isinstance(one, str):
            raise ValueError("each way is a text, such as bell or ntfy:TOPIC")
        elif one.strip() == "both":
            ways += [Channel("bell"), Channel("desktop")]
        elif one.strip() != "off":
            ways.append(channel(one))
    return tuple(dict.fromkeys(ways))


Notify = Annotated[tuple[Channel, ...], BeforeValidator(_ways)]


class Settings(BaseModel):
    """What a person may set. Unknown keys of the file are refused by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    theme: Literal["auto", "dark", "light", "contrast", "ansi", "mono"] = "auto"
    """Colours; "auto" takes what the terminal can show, and none where NO_COLOR is set."""
    ascii: bool = False
    """Draw with plain ASCII characters."""
    notify: Notify = ()
    """How news reach you: `bell` and `desktop` (OSC 9) of the terminal that shows a cockpit; `ntfy:TOPIC`,
    `webhook:URL` and `command:PROGRAM` wherever you are. One or a list; "off" is none, "both" the first two."""
    notify_on: Annotated[tuple[News, ...], BeforeValidator(_words)] = get_args(News)
    """Which news the loop sends: a new best, a wait for you, a fault, the end, an idle slot, a plateau, a digest."""
    digest_at: datetime.time | None = None
    """The hour at which a digest of the last day is sent, such as "08:00"."""
    plateau: int = Field(default=50, ge=1)
    """Experiments without a gain after which that is news."""
    sandbox: Sandboxes = "auto"
    """What confines the runs: `auto` takes bubblewrap where it works, else Landlock, else nothing and says so."""
    researcher: str | None = None
    """Who proposes: `automl`, `llm`, `hybrid`, or the command line of a coding agent. None: `llm` where a model or an
    endpoint is set, else `automl`."""
    model: str | None = None
    """Name of the language model, as its endpoint calls it; may be left out where the endpoint has just one."""
    base_url: Address | None = None
    """An OpenAI-compatible endpoint, such as http://localhost:8000/v1; None is OpenAI's own."""
    api_key: Key | None = None
    """The endpoint's key. A server on this machine usually wants none."""
    dialect: Literal["auto", "chat", "responses"] = "auto"
    """How to speak to it: Chat Completions, which every compatible server has, or Responses, which OpenAI's own has."""
    effort: str | None = None
    """Reasoning effort to ask for, such as "low" or "high"; None leaves it to the model."""
    briefing: int = Field(default=32_000, ge=4_000)
    """Tokens that a briefing may have."""
    answer: int = Field(default=32_000, ge=1_000)
    """Tokens that one answer may have, thinking included. An endpoint that refuses this is asked without it."""
    silence: Seconds = 300.0
    """Seconds without a single byte after which a call counts as hung and is made again."""
    thinking: Seconds = 1800.0
    """Seconds that a coding agent's command may take for one proposal."""
    web: bool = False
    """Let the model search arXiv and read public web pages."""
    prices: Prices | None = None
    """What the model costs, where no price list knows or you pay something else."""
    slots: Slots | None = None
    """How many runs there are at once on this machine, and what each gets; None: one a GPU. `program.md` goes over it.
    """
    cluster: Cluster | None = None
    """Address of a Ray cluster that runs happen on: `auto`, HOST:PORT, or ray://HOST:PORT from a machine that is not in
    it. None: on this machine."""
    cluster_nodes: NodeNames = ()
    """Which of its nodes are used, by their names; all where none is named."""
    cluster_lease: Annotated[Seconds, Field(ge=2)] = 60.0
    """Seconds without a word between the loop and a node after which the node ends its runs, and they are run again;
    for as long, runs outlive a loop that was killed. A sixth of it, at most 10 s, counts as silence."""
    keymap: dict[str, str] = {}
    """Ids of keys to the keys wanted instead, with commas between; `looptop` names the ids in its help."""


_ALSO = {"api_key": "OPENAI_API_KEY", "base_url": "OPENAI_BASE_URL"}
"""Variables of the openai package, for who has them set already; our own go over them."""


def config_file(environ: Mapping[str, str]) -> Path:
    """Where the file is looked for."""
    home = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - pathlib's raises where there is no such user
    return Path(environ.get("XDG_CONFIG_HOME") or f"{home}/.config") / "looptop" / "config.toml"


def read(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in force in this environment.

    Raises:
        SettingsError: the file is no TOML, or it or a variable says something that is not known.
    """
    path = config_file(environ)
    values, sources = _given(path, environ)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(_shown(part) for part in first["loc"])
        where = sources.get(str(first["loc"][0]), str(path))
        if first["type"] == "extra_forbidden":
            known = ", ".join(Settings.model_fields)
            raise SettingsError(f"{where}: {name} is not a setting; known are {known}") from None
        said = first["msg"].replace("Input should be", "it must be").removeprefix("Value error, ")
        given = (
            ""
            if name.partition(".")[0] in ("api_key", "base_url", "notify")
            else f" = {_shown(first['input'], quoted=True)}"
        )  # there may be a key in either
        raise SettingsError(f"{where}: {name}{given} is not understood; {said}") from None


def origins(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The file or the variable that each setting comes from, by its name; without those that nobody has set.

    Raises:
        SettingsError: the file is no TOML.
    """
    return _given(config_file(environ), environ)[1]


def _given(path: Path, environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """What the file and the variables say, and which of them says it, by name."""
    values = _table(path)
    sources = dict.fromkeys(values, str(path))
    for name in Settings.model_fields.keys() - {"keymap", "prices"}:
        for variable in (f"LOOPTOP_{name.upper()}", _ALSO.get(name, "")):
            if value := environ.get(variable):
                values[name], sources[name] = value, variable
                break
    return values, sources


def _shown(value: object, quoted: bool = False) -> str:
    """What somebody wrote, on one line and not more than a person needs to find it."""
    try:
        text = str(value)
    except ValueError:
        return "a number of more digits than can be shown"
    return (repr(value) if quoted or not text.isprintable() else text)[:100]


def _table(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    import tomllib  # 12 ms, and most people have no such file

    try:
        return tomllib.loads(text.decode("utf-8-sig"))
    except RecursionError:
        raise SettingsError(f"{path} is not valid TOML: it is nested deeper than any setting is") from None
    except ValueError as error:  # TOML's own, of its encoding, and a number of more digits than Python reads
        raise SettingsError(f"{path} is not valid TOML: {_shown(str(error).partition(';')[0])}") from None
