"""Joins an arrow key that a slow line has split: Textual gives up on a sequence after 100 ms, and what comes later
arrives as an escape and two keys of its own. Pure but for the time that is passed in."""

_FINAL = {"A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end"}
_BEGINS = ("left_square_bracket", "O")
_WITHIN = 1.0
"""Seconds after its escape in which the rest of a sequence comes; a person who means `[` types it later."""


class SplitKeys:
    """Sees every key in order."""

    def __init__(self) -> None:
        self._escaped = float("-inf")
        self._inside = False

    def take(self, key: str, character: str | None, now: float) -> str | None:
        """What a key is: its own name, the name of the key whose last piece it is, or None for a piece before that.

        Args:
            now: seconds of a clock that only goes forwards.
        """
        late = now - self._escaped > _WITHIN
        if self._inside and not late:
            if character is not None and (character.isdigit() or character == ";"):
                return None
            self._inside, self._escaped = False, float("-inf")
            return _FINAL.get(character or "", None if character == "~" else key)
        self._inside = False
        if key in _BEGINS and not late:
            self._inside = True
            return None
        self._escaped = now if key == "escape" else float("-inf")
        return key
