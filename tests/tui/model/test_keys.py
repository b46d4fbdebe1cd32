"""One table: bindings, key line and help agree, and every key in it does something."""

from collections import Counter
from pathlib import Path

import pytest

from loop.study.events import REQUESTS
from tui.cockpit.app import Cockpit
from tui.model import keys
from tui.render.text import line_cells


def test_no_key_means_two_things() -> None:
    every = [name for key in keys.KEYS for name in key.keys.split(",")]
    by_id = {key.id: key for key in keys.KEYS}
    over = [
        name for key in keys.KEYS if key.over for name in {*key.keys.split(",")} & {*by_id[key.over].keys.split(",")}
    ]
    twice = [name for name, count in Counter(every).items() if count > 1]
    assert sorted(twice) == sorted(over), "only a key with views of its own stands on another one"
    for key in keys.KEYS:
        assert not key.over or (key.views and not by_id[key.over].views)
    assert len({key.id for key in keys.KEYS}) == len(keys.KEYS)


@pytest.mark.parametrize("key", keys.KEYS, ids=lambda key: key.id)
def test_every_key_has_an_action_and_stands_in_the_help(key: keys.Key) -> None:
    assert callable(getattr(Cockpit, f"action_{key.action.split('(')[0]}"))
    helped = ["".join(text for text, _ in line) for line in keys.help_lines()]
    assert any(key.help in line and key.show in line for line in helped)


def test_keys_that_terminal_multiplexers_swallow_are_not_used() -> None:
    every = {name for key in keys.KEYS for name in key.keys.split(",")}
    assert {name for name in every if name.startswith("ctrl+")} == {"ctrl+c", "ctrl+l", "ctrl+z"}, (
        "those of every shell"
    )


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_key_line_fits_and_always_says_how_to_leave(width: int) -> None:
    for read_only in (False, True):
        for waiting in (False, True):
            line = keys.key_line(width, view="mind", read_only=read_only, waiting=waiting, paused=False, opens=True)
            text = "".join(part for part, _ in line)
            assert line_cells(line) <= width and "q detach" in text and "? help" in text
            assert ("steer" in text) != read_only
            assert ("approve" in text) == (waiting and not read_only)


def test_a_read_only_cockpit_offers_no_request() -> None:
    line = keys.key_line(300, view="mind", read_only=True, waiting=True, paused=False, opens=True)
    offered = {text.strip() for text, _ in line}
    assert not offered & {key.label for key in keys.KEYS if key.request}
    assert {"paused", "steered", "killed", "stopped"} <= REQUESTS


def test_the_page_for_users_has_every_key_with_its_id() -> None:
    page = (Path(__file__).parents[3] / "docs" / "cockpit.md").read_text()
    for key in keys.KEYS:
        assert f"| `{key.show}` | {key.id} | {key.help} |" in page
