"""Who proposes. One researcher a module; `engage` knows them by name."""

from loop.researchers.researcher import Researcher

KNOWN = ("automl",)
"""Names that `--researcher` takes."""


class UnknownResearcher(Exception):
    """Nobody of that name; the message is a sentence."""


def engage(name: str | None) -> Researcher:
    """The researcher called `name`; None is the one that needs no key.

    Raises:
        UnknownResearcher: there is no such researcher.
    """
    if name in (None, "automl"):
        from loop.researchers.tuning.automl import AutoML  # optuna takes 0.2 s to import, and only the loop needs it

        return AutoML()
    raise UnknownResearcher(f"there is no researcher called {name!r}; known: {', '.join(KNOWN)}")
