"""How much a fuzzer tries: a count of examples that are always the same, or a time with ever new ones."""

import time
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz import corpus

_QUIET = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck), "report_multiple_bugs": False}
STABLE = settings(max_examples=100, derandomize=True, phases=[Phase.generate, Phase.shrink], **_QUIET)  # type: ignore[arg-type]
"""The same examples on every machine, so that a change is red for what it changed."""
NEW = settings(max_examples=500, derandomize=False, phases=[Phase.generate, Phase.shrink], **_QUIET)  # type: ignore[arg-type]


class Budget:
    """What one fuzzer may spend.

    Args:
        seconds: how long new examples are tried; None: `STABLE` ones, once.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.tried = 0
        """Examples so far."""

    def spend(
        self, reader: str, grammar: st.SearchStrategy[bytes], read: Callable[[bytes], Any], dear: int = 1
    ) -> None:
        """Try `read` on what `grammar` makes and on changed cases of the reader's corpus.

        What breaks in a minute's trying is written into the corpus, where it is tried from then on: give the file a
        name that says what it is.

        Args:
            dear: how many times fewer examples are tried at once, for a reader of processes or sockets.
        """
        broken: list[bytes] = []

        def counted(data: bytes) -> None:
            self.tried += 1
            try:
                read(data)
            except Exception:
                broken.append(data)
                raise

        try:
            self.repeat(lambda how: how(given(grammar | corpus.changed(reader))(counted))(), dear)
        except BaseException as error:
            if broken and self.seconds is not None:
                error.add_note(f"kept as {corpus.keep(reader, broken[-1])}: give it a name that says what it is")
            raise

    def repeat(self, once: Callable[[settings], Any], dear: int = 1) -> None:
        """Go through `once` with stable settings, or again and again with new ones until the time is over."""
        if self.seconds is None:
            once(settings(STABLE, max_examples=STABLE.max_examples // dear))
            return
        until = time.monotonic() + self.seconds
        while time.monotonic() < until:
            once(settings(NEW, max_examples=NEW.max_examples // dear))
