"""A person's settings: any file and any variables are settings that work, or one sentence that names the place."""

from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import strategies as st

from loop.config.settings import Settings, SettingsError
from loop.config.settings import read as settings
from loop.researchers.llm.endpoint import Endpoint
from tests.fuzz import corpus
from tests.fuzz.budget import Budget
from tests.fuzz.grammar import TEXTS, as_bytes, one_sentence
from tui.cockpit.keymap import KeymapError, table
from tui.model import keys

WORDS = st.sampled_from(
    (
        *('"dark"', "'light'", '"bell"', "true", "false", "1", "-1", "inf", "nan", "1e999", "9" * 400, "9" * 5000),
        *(
            "0x" + "f" * 5000,
            "0o17",
            "1979-05-27",
            "07:32:00",
            "[]",
            "[1, 2]",
            "{}",
            "{read = inf}",
            "{read = 1, written = 2}",
        ),
        *(
            '"http://localhost:8000/v1"',
            '"http://["',
            '"http://a:b:c"',
            '"http://"',
            '"https://u:p@h/"',
            '"ftp://h"',
            '"http://a b"',
        ),
        *(
            '"\\u0000"',
            '"a\\nb"',
            '"\\u001b[2J"',
            '"""\na\nb"""',
            '"sk-key\\n"',
            '"sk-\\u20ac"',
            '"20s"',
            '"soon"',
            '"',
            "=",
            "",
        ),
        *(
            "[" * 5000,
            "[" * 200 + "]" * 200,
            "{a=" * 200,
            '"ctrl+k"',
            '"ctrl+c"',
            '","',
            '",,"',
            '"²"',
            '"shift+"',
            '"f99"',
        ),
    )
)
NAMES = st.sampled_from(
    (*Settings.model_fields, "prices.read", "keymap.kill", "keymap.nothing", "teme", '"a\\nb"', "''")
)


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """TOML with the names of settings, and what such values look like and what they do not."""
    lines = [f"{draw(NAMES)} = {draw(WORDS)}\n" for _ in range(draw(st.integers(0, 4)))]
    if draw(st.booleans()):
        ids = st.sampled_from([key.id for key in keys.KEYS])
        lines += ["[keymap]\n", *(f"{draw(ids)} = {draw(WORDS)}\n" for _ in range(draw(st.integers(0, 3))))]
    text = "".join(lines)
    return draw(
        st.sampled_from(
            (text.encode(), b"\xef\xbb\xbf" + text.encode(), text.encode("utf-16"), text.encode() + b"\xff")
        )
    )


VARIABLES = st.dictionaries(
    st.sampled_from([f"LOOPTOP_{name.upper()}" for name in Settings.model_fields]) | st.just("OPENAI_API_KEY"),
    TEXTS | st.sampled_from(("http://[::1]:9/v1", "http://[", "true", "dark", "20s", "0", "sk-key\r", "chat", "low")),
    max_size=4,
)

FOLDER = Path(mkdtemp(prefix="settings-"))
(FOLDER / "looptop").mkdir()


def accepted(environ: dict[str, str]) -> None:
    try:
        found = settings({"XDG_CONFIG_HOME": str(FOLDER), **environ})
    except SettingsError as refused:
        one_sentence(str(refused))
        assert str(FOLDER) in str(refused) or any(name in str(refused) for name in environ)
        secret = {value.strip() for name, value in environ.items() if "KEY" in name and "sk-secret" in value}
        shown = any(value in str(refused) for value in secret)
        assert not shown or any(
            value in open for name, open in environ.items() for value in secret if "KEY" not in name
        )
        return
    if found.base_url is not None:
        assert Endpoint(found).client
    try:
        table(found.keymap)
    except KeymapError as refused:
        one_sentence(str(refused))


def read(data: bytes) -> None:
    (FOLDER / "looptop" / "config.toml").write_bytes(data)
    accepted({})


def read_variables(data: bytes) -> None:
    """Lines `NAME=VALUE`, as `env -0` prints them."""
    (FOLDER / "looptop" / "config.toml").write_text("")
    lines = (line.decode("utf-8", "surrogateescape").partition("=") for line in data.split(b"\0") if b"=" in line)
    accepted({name: value for name, _, value in lines if name})


def test_any_file_is_settings_or_one_sentence(budget: Budget) -> None:
    budget.spend("settings", tables(), read)


def test_any_variables_are_settings_or_one_sentence(budget: Budget) -> None:
    lines = VARIABLES.map(lambda given: b"\0".join(as_bytes(f"{name}={value}") for name, value in given.items()))
    budget.spend("variables", lines, read_variables)


@pytest.mark.parametrize("data", corpus.cases("settings"))
def test_every_file_of_the_corpus_is_settings_or_refused(data: bytes) -> None:
    read(data)


@pytest.mark.parametrize("data", corpus.cases("variables"))
def test_every_environment_of_the_corpus_is_settings_or_refused(data: bytes) -> None:
    read_variables(data)
