"""Settings and keymap: what a person may set is taken, and everything else is refused in one clear sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loop.config.settings import Settings, SettingsError, config_file, read
from loop.machine.channels import Channel
from tests.recorded import record
from tui.cockpit.keymap import KeymapError, table
from tui.model import keys

ROOT = Path(__file__).parents[2]


def home(folder: Path, text: str = "", **more: str) -> dict[str, str]:
    """An environment whose home has a config file with `text`."""
    path = folder / ".config" / "looptop" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return {"HOME": str(folder), **more}


def test_nothing_set_is_no_error(tmp_path: Path) -> None:
    assert read({"HOME": str(tmp_path)}) == Settings()
    assert read({}) == Settings() or config_file({}).exists()


def test_variables_go_over_the_file(tmp_path: Path) -> None:
    environ = home(tmp_path, 'theme = "light"\nnotify = "bell"\n[keymap]\nkill = "ctrl+k"\n', LOOPTOP_THEME="ansi")
    found = read(environ)
    assert (found.theme, found.notify, found.ascii) == ("ansi", (Channel("bell"),), False)
    assert found.keymap == {"kill": "ctrl+k"}
    assert read({**environ, "LOOPTOP_ASCII": "1"}).ascii


def test_ways_to_reach_a_person_are_one_or_several(tmp_path: Path) -> None:
    ntfy, bell = Channel("ntfy", "https://ntfy.sh/t"), Channel("bell")
    for text, ways in {
        'notify = "off"': (),
        'notify = "both"': (bell, Channel("desktop")),
        'notify = ["bell", "ntfy:t", "bell"]': (bell, ntfy),
        "notify = [\"command:sh -c 'a, b'\"]": (Channel("command", "sh -c 'a, b'"),),
    }.items():
        assert read(home(tmp_path, text)).notify == ways, text
    several = "bell, ntfy:t,command:say 1,2, webhook:https://h/x"
    found = read(home(tmp_path, LOOPTOP_NOTIFY=several, LOOPTOP_NOTIFY_ON="best, end", LOOPTOP_DIGEST_AT="08:05"))
    assert found.notify == (bell, ntfy, Channel("command", "say 1,2"), Channel("webhook", "https://h/x"))
    assert found.notify_on == ("best", "end") and found.digest_at is not None and found.digest_at.minute == 5


def test_what_may_be_private_in_a_way_is_not_repeated(tmp_path: Path) -> None:
    for way in ("webhook:ftp://secret", "ntfy:http://h/secret/more", "slack:secret", "webhook:http://[secret"):
        with pytest.raises(SettingsError, match="notify is not understood") as told:
            read(home(tmp_path, f'notify = ["{way}"]'))
        assert "secret" not in str(told.value)


@pytest.mark.parametrize("address", ["http://me:sk-secret", "http://[sk-secret/v1", "http://host:0"])
def test_an_address_that_is_none_is_refused_without_what_might_be_a_key(tmp_path: Path, address: str) -> None:
    with pytest.raises(SettingsError, match=r"base_url is not understood; it is no address; write one such as") as told:
        read(home(tmp_path, f'base_url = "{address}"'))
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        ('theme = "drak"', {}, ("config.toml", "theme", "drak", "dark")),
        ("teme = 1", {}, ("teme", "not a setting", "theme")),
        ("theme = ", {}, ("config.toml", "not valid TOML")),
        ("", {"LOOPTOP_NOTIFY": "loud"}, ("LOOPTOP_NOTIFY", "loud", "bell")),
        ("[keymap]\nkill = 3", {}, ("keymap.kill", "3")),
    ],
)
def test_what_is_not_understood_is_named(tmp_path: Path, text: str, more: dict[str, str], words: tuple[str]) -> None:
    with pytest.raises(SettingsError) as refused:
        read(home(tmp_path, text, **more))
    assert all(word in str(refused.value) for word in words) and "\n" not in str(refused.value)


# --- keymap --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", keys.KEYS, ids=lambda key: key.id)
def test_every_key_can_be_moved(key: keys.Key) -> None:
    moved = next(found for found in table({key.id: "f9"}) if found.id == key.id)
    assert moved.keys == ("f9,ctrl+c" if key.id == "detach" else "f9") and moved.show == "f9"
    assert (moved.action, moved.help) == (key.action, key.help)


def test_two_keys_can_change_places_and_signs_are_written_as_they_are() -> None:
    found = {key.id: key for key in table({"kill": "p", "pause": "x", "help": "-, f1", "command": ";"})}
    assert (found["kill"].keys, found["pause"].keys) == ("p", "x")
    assert (found["help"].keys, found["help"].show) == ("minus,f1", "- f1")
    assert found["command"].keys == "semicolon"


@pytest.mark.parametrize(
    ("keymap", "words"),
    [
        ({"kil": "f9"}, ("'kil'", "kill")),
        ({"kill": "p"}, ("p", "pause", "kill", "give pause another key")),
        ({"kill": "f9", "stop": "f9"}, ("f9", "kill", "stop")),
        ({"kill": "ctrl+m"}, ("ctrl+m", "enter")),
        ({"kill": "ctrl+c"}, ("always detaches",)),
        ({"kill": "hyper+q"}, ("hyper+q", "is no key")),
        ({"kill": ""}, ("kill has no key",)),
    ],
)
def test_a_keymap_that_cannot_be_is_refused_in_a_sentence(keymap: dict[str, str], words: tuple[str, ...]) -> None:
    with pytest.raises(KeymapError) as refused:
        table(keymap)
    assert all(word in str(refused.value) for word in words), refused.value


@pytest.mark.parametrize("text", ['[keymap]\nkill = "p"\n', 'theme = "nice"\n'])
def test_bad_settings_end_the_cockpit_before_it_starts(tmp_path: Path, text: str) -> None:
    record(tmp_path / ".looptop" / "journal.db", experiments=2)
    environ = {**os.environ, **home(tmp_path, text), "TERM": "xterm", "PYTHONPATH": str(ROOT)}
    environ.pop("XDG_CONFIG_HOME", None)
    command = [sys.executable, "-P", "-m", "tui.cli", "-C", str(tmp_path), "attach"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 2 and not done.stdout
    assert len(done.stderr.strip().splitlines()) == 1 and "config.toml" in done.stderr
