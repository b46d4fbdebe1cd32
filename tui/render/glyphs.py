"""The signs on screen, in Unicode and in plain ASCII. A state is always a sign and a word, never a colour alone."""

from dataclasses import dataclass

from loop.study.experiment import Experiment
from loop.study.outcomes import VERDICTS

_OPEN = {"running": "▸>", "verifying": "▹v", "queued": "○o", "waiting": "??", "proposed": "·."}
"""Before an experiment has a verdict: state to sign and ASCII sign."""

WORDS: dict[str, str] = {verdict.value: verdict.word for verdict in VERDICTS} | {state: state for state in _OPEN}
"""State of an experiment to the word on screen; the role of its colour has the state's own name."""


@dataclass(frozen=True)
class Glyphs:
    """One set of signs; every one of them is one cell wide."""

    ascii: bool
    state: dict[str, str]
    live: str
    dot: str
    point: str
    champion: str
    folded: str
    flag: str
    """Before the title of what a person should look at."""
    note: str
    """Before a person's note."""
    mark: str
    """Behind the number of an experiment that a person has marked."""
    trunk: str
    branch: str
    cross: str
    join: str
    turn: str
    meet: str
    rule: str
    box: str
    """Corners and sides: top left, top right, bottom left, bottom right, horizontal, vertical."""
    spark: str
    """Heights from low to high, for history."""
    arrow: str
    sigma: str
    minus: str
    plusminus: str

    def of(self, experiment: Experiment) -> tuple[str, str, str]:
        """Sign, word and role of an experiment's state."""
        state = state_of(experiment)
        return self.state[state], WORDS[state], state

    def plain(self, text: str) -> str:
        """`text` in this set: in ASCII whatever else there is becomes its nearest plain form."""
        if not self.ascii or text.isascii():
            return text
        return text.translate(_PLAIN).encode("ascii", "replace").decode()


def state_of(experiment: Experiment) -> str:
    """The verdict where there is one, else the phase; a run that has ended and is not judged is being verified."""
    if experiment.verdict is None and experiment.phase == "running" and not experiment.running():
        return "verifying"
    return experiment.verdict or ("queued" if experiment.phase == "judged" else experiment.phase)


UNICODE = Glyphs(
    ascii=False,
    state={verdict.value: verdict.sign for verdict in VERDICTS} | {state: sign[0] for state, sign in _OPEN.items()},
    live="●",
    dot="·",
    point="•",
    champion="★",
    folded="+",
    flag="⚑",
    note="✎",
    mark="◆",
    trunk="│",
    branch="├",
    cross="┼",
    join="─",
    turn="╯",
    meet="┴",
    rule="─",
    box="╭╮╰╯─│",
    spark="▁▂▃▄▅▆▇█",
    arrow="▸",
    sigma="σ",
    minus="−",
    plusminus="±",
)

ASCII = Glyphs(
    ascii=True,
    state={verdict.value: verdict.ascii for verdict in VERDICTS} | {state: sign[1] for state, sign in _OPEN.items()},
    live="*",
    dot=".",
    point="o",
    champion="@",
    folded="+",
    flag="&",
    note="%",
    mark="#",
    trunk="|",
    branch="|",
    cross="+",
    join="-",
    turn="'",
    meet="'",
    rule="-",
    box="++++-|",
    spark="_.:-=+*#",
    arrow=">",
    sigma="z",
    minus="-",
    plusminus="+-",
)

_PLAIN = str.maketrans(
    {"σ": "z", "…": "~", "−": "-", "±": "~", "·": ".", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"'}
    | {"→": ">", "▸": ">", "✓": "*", "✗": "x", "×": "x", "°": " ", "★": "@", "│": "|", "─": "-", "●": "*", "▴": "^"}
    | {"▹": "v", "▾": "v", "Δ": "d", "≤": "<", "≥": ">", "µ": "u"}
)
