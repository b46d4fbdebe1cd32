"""Placebos: now and then the champion itself goes through as a candidate, to see how often the judge keeps what is
nothing. Pure.

What a confidence promises is worth what it keeps. A placebo is the champion with one constant moved by a ten
thousandth: too little for any measurement, enough to shuffle the dice as every edit does. Which candidate is one is
sealed until its verdict: every proposal carries a digest, and only who holds the study's secret can tell the two kinds
apart. With the verdict the seal of a placebo is opened, and anybody can check it.
"""

import hashlib
import hmac
from dataclasses import dataclass

from loop.policy.noise import beta_quantile
from loop.study.state import Study

SHARE = 0.02
"""Share of the candidates that are placebos where nobody says otherwise."""

FIRST = 20
"""Candidates before the first that may be one where nobody says that there are to be any: a short study has no run to
spare."""

STEP = 1e-4
"""How far a placebo moves its constant, relatively: 32-bit numbers still see it, and no metric does."""

LEVEL = 0.95


def share(study: Study) -> float:
    """Share of the candidates that are to be placebos."""
    given = study.contract.placebos
    return (SHARE if study.rules >= 1 else 0.0) if given is None else given


def nonce(secret: bytes, number: int) -> str:
    """What opens the seal of that experiment."""
    return hmac.new(secret, f"nonce {number}".encode(), hashlib.sha256).hexdigest()[:32]


def seal(opener: str, number: int, placebo: bool) -> str:
    """The digest that a proposal carries."""
    return hashlib.sha256(f"{opener} {number} {'placebo' if placebo else 'idea'}".encode()).hexdigest()[:32]


def draw(secret: bytes, number: int) -> float:
    """A number from 0 to 1 that nobody without the secret knows beforehand; the same after every restart."""
    drawn = hmac.new(secret, f"draw {number}".encode(), hashlib.sha256).digest()
    return int.from_bytes(drawn[:8], "big") / 2**64


def is_owed(study: Study, secret: bytes) -> bool:
    """Whether the next candidate is to be a placebo: so many of those before it drew one, and there were fewer."""
    part = share(study)
    first = 2 if study.contract.placebos else FIRST
    owed = sum(draw(secret, number) < part for number in range(first, len(study.experiments))) if part else 0
    return owed > 0 and owed > sum(is_placebo(secret, x.id, x.seal) for x in study.experiments.values() if x.seal)


def is_placebo(secret: bytes, number: int, sealed: str) -> bool:
    """Whether the seal of an experiment is that of a placebo."""
    return bool(sealed) and hmac.compare_digest(sealed, seal(nonce(secret, number), number, True))


def is_open(study: Study, number: int) -> bool:
    """Whether what was opened is what had been sealed when the experiment was proposed."""
    experiment, body = study.experiments.get(number), study.placebos.get(number)
    return experiment is not None and body is not None and experiment.seal == seal(body.nonce, number, True)


@dataclass(frozen=True)
class Rate:
    """How many placebos the judge has kept, of those that came to its verdict."""

    kept: int
    judged: int
    low: float
    high: float
    """The bounds of the rate's 95% interval (Clopper and Pearson)."""
    promised: float
    """The rate that `keep.confidence` promises at most."""

    @property
    def holds(self) -> bool:
        """Whether what was measured does not contradict what is promised."""
        return self.low <= self.promised


def rate(study: Study) -> Rate | None:
    """What the placebos so far say; None while none has come to the judge's verdict."""
    kept = [one.kept for number, one in study.placebos.items() if one.kept is not None and is_open(study, number)]
    return measured(sum(kept), len(kept), 1 - study.contract.keep.confidence) if kept else None


def measured(kept: int, judged: int, promised: float) -> Rate:
    """The rate with its interval."""
    tail = (1 - LEVEL) / 2
    low = 0.0 if not kept else beta_quantile(kept, judged - kept + 1, tail)
    high = 1.0 if kept == judged else beta_quantile(kept + 1, judged - kept, 1 - tail)
    return Rate(kept, judged, low, high, promised)


def told(found: Rate) -> str:
    """The rate in a sentence without its full stop."""
    placebos = "1 placebo" if found.judged == 1 else f"{found.judged} placebos"
    span = f"95% interval {found.low:.1%} to {found.high:.1%}"
    text = f"{found.kept} of {placebos} kept ({span}), at most {found.promised:.2%} promised"
    return text if found.holds else f"{text}: the judge keeps too much; raise `keep: {{confidence}}`"
