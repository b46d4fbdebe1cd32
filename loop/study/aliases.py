"""Old names in journals, for reading only: nothing is written under them.

A name that changes gets a line here, and `tests/study` folds a journal that was recorded before it changed.
"""

from collections.abc import Iterable
from typing import Any

from pydantic import AliasChoices, Field

KINDS = {"wish_granted": "request_fulfilled"}
"""Kinds of events: the old name, and today's."""

FIELDS = {"request": "wish", "protocol_id": "measure"}
"""Fields of events: today's name, and the old one."""


def with_old(kinds: Iterable[str]) -> set[str]:
    """Those kinds of events and the names that older journals have for them."""
    wanted = set(kinds)
    return wanted | {old for old, new in KINDS.items() if new in wanted}


def renamed(name: str) -> Any:
    """A field that older journals have under another name."""
    return Field(validation_alias=AliasChoices(name, FIELDS[name]))
