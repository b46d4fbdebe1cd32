"""A person's keymap over the table of keys: `[keymap]` of the config file, from ids to keys.

Pure. A key can be moved, never lost: one key with two meanings, an unknown id and an unknown key are refused in one
sentence before anything starts. ctrl+c always detaches.

Textual's `App.set_keymap` promises none of this: it takes any id and any key in silence, so that a typo leaves an
action without a key; it drops one of two meanings; and help and key line, drawn from the table, would not know of it.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from textual.actions import parse

from tui.model.keys import KEYS, Key

_NAMED = (
    *("enter", "escape", "space", "tab", "backspace", "delete", "insert", "home", "end", "pageup", "pagedown"),
    *("up", "down", "left", "right", *(f"f{number}" for number in range(1, 13))),
)
_SHORT = {
    "slash": "/",
    "colon": ":",
    "question_mark": "?",
    "escape": "esc",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}
_TEXTUAL = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}
_OTHER_IDS = {"view-tree": "view-experiments", "view-curve": "view-curves"}
"""Ids of before, for the keymaps that have them."""
_SWALLOWED = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+h": "backspace", "ctrl+j": "a new line"}


def character_name(character: str) -> str:
    """Textual's name of the key that types `character`."""
    if character.isalnum():
        return character
    name = unicodedata.name(character, character).lower().replace("-", "_").replace(" ", "_")
    return _TEXTUAL.get(name, name)


_CHARACTERS = {character_name(chr(code)): chr(code) for code in range(33, 127)}
"""Textual's names of the characters that a keyboard types."""


class KeymapError(Exception):
    """The keymap cannot be used; the message is a sentence."""


def table(keymap: Mapping[str, str]) -> tuple[Key, ...]:
    """The keys in force.

    Raises:
        KeymapError: an unknown id, an unknown key, or a key with two meanings.
    """
    keymap = {_OTHER_IDS.get(name, name): keys for name, keys in keymap.items()}
    known = {key.id for key in KEYS}
    for name in keymap:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else "the help (?) names them all"
            raise KeymapError(f"keymap: there is no key with the id {name!r}; {hint}")
    moved = tuple(_moved(key, keymap[key.id]) if key.id in keymap else key for key in KEYS)
    meanings: dict[str, Key] = {}
    for key in moved:
        for name in key.keys.split(","):
            other = meanings.setdefault(name, key)
            if other.id != key.id and other.id != key.over and key.id != other.over:
                free = other.id if key.id in keymap else key.id
                raise KeymapError(
                    f"keymap: {shown(name)} would mean both {other.id} and {key.id}; give {free} another key too"
                )
    return moved


def shared(keys: Sequence[Key]) -> dict[tuple[str, tuple[object, ...]], tuple[str, ...]]:
    """Actions of the keys that take the place of another one in their own views, and those views."""
    by_id = {key.id: set(key.keys.split(",")) for key in keys}
    found = [key for key in keys if key.over and by_id[key.over] & by_id[key.id]]
    return {parse(key.action)[1:]: key.views for key in found}


def _moved(key: Key, wanted: str) -> Key:
    parts = [","] if wanted.strip() == "," else [part for part in wanted.split(",") if part.strip()]
    names = [_name(part.strip(), key.id) for part in parts]
    if not names:
        raise KeymapError(f"keymap: {key.id} has no key; leave the line out to keep {key.show}")
    if key.id == "detach" and "ctrl+c" not in names:
        names.append("ctrl+c")
    show = [shown(name) for name in names if name != "ctrl+c" or len(names) == 1]
    return replace(key, keys=",".join(dict.fromkeys(names)), show=" ".join(dict.fromkeys(show)))


def _name(text: str, owner: str) -> str:
    """A key as Textual names it, from what a person writes: `K`, `?`, `ctrl+k`, `f5`, `pageup`."""
    if len(text) == 1 and text.isprintable():
        return character_name(text)
    lowered = text.lower()
    if lowered in _SWALLOWED:
        raise KeymapError(f"keymap: {owner} = {text!r} cannot be told from {_SWALLOWED[lowered]} in a terminal")
    if lowered == "ctrl+c" and owner != "detach":
        raise KeymapError(f"keymap: ctrl+c always detaches, so {owner} needs another key")
    plain = lowered.removeprefix("shift+").removeprefix("ctrl+")
    if lowered in _NAMED or (plain != lowered and (plain in _NAMED or re.fullmatch("[a-z]", plain))):
        return lowered
    if lowered in _CHARACTERS:
        return lowered
    raise KeymapError(f"keymap: {owner} = {text!r} is no key; write one as K, ?, ctrl+k, f5 or pageup")


def shown(name: str) -> str:
    """A key as a person reads it."""
    return _SHORT.get(name) or _CHARACTERS.get(name, name)
