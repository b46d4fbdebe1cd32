"""What a placebo looks like: a proposal like those of a researcher of the study, down to what that one says with it.

It passes for AutoML's where AutoML takes part, whose words can be made as it makes them. What a model thinks, and what
that costs, cannot be made up.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from loop.policy import placebos
from loop.policy.standing import noise
from loop.researchers.protocol import Proposal
from loop.study.experiment import Experiment
from loop.study.state import Study

USUAL_STEP = 0.15
"""Of a range: a step of this size is what its words are about."""

WORDS = (
    "A step of {} from here shows which way helps.",
    "{} may not be at its best yet for what has changed around it.",
    "The present {} was chosen for an earlier file; a little to this side may suit this one better.",
    "Nobody has looked closely around the present {}: the gain may be small, and costs nothing.",
    "A fine adjustment of {}, since coarse ones have been made.",
    "If the optimum of {} is broad, this shows it; if it is narrow, it may help.",
)
"""Reasons for a change of one constant, where AutoML takes no part."""


@dataclass(frozen=True)
class Disguise:
    """A placebo as it is proposed."""

    researcher: str
    """Whose it is said to be."""
    proposal: Proposal
    said: tuple[str, ...] = ()
    """What the researcher is heard to think with it."""


def disguised(study: Study, files: Mapping[str, str], chance: Callable[[int], float]) -> Disguise | None:
    """A placebo; None where these files have no constant that can be moved so little, or nobody has proposed anything.

    Args:
        files: the champion's editable files.
        chance: gives a number from 0 to 1 for each of a few purposes.
    """
    from loop.researchers.automl import narration  # late: the loop starts without it
    from loop.researchers.automl.plan import Kind, Move, Situation
    from loop.researchers.automl.ranges import around
    from loop.researchers.automl.sites import replace, tunable
    from loop.researchers.automl.trials import Notes, Values, of_others, read, starts

    recent = [x for x in study.experiments.values() if x.id and not (x.submitted or x.parts or x.imported)][-20:]
    recent = [x for x in recent if Notes.of(x) is not None] or recent
    sites = tunable(files, study.contract.run)
    fine = [site for site in sites if isinstance(site.constant.value, float) and site.constant.value]
    fine = [site for site in fine if not site.constant.choices]
    if not recent or not fine or study.champion is None:
        return None
    like = recent[int(chance(0) * len(recent))]
    everybody = list(study.experiments.values())
    present = {one.name: one.constant.value for one in sites}
    others: dict[int, Values] = {x.id: {} for x in of_others(everybody)}
    trials = read(everybody, study.champion, present, study.contract, others)
    looked = {trial.alone for trial in trials}
    if Notes.of(like) is not None:  # AutoML changes each alone before it changes any otherwise
        fine = [site for site in fine if site.name not in looked] or fine
    site = fine[int(chance(1) * len(fine))]
    old = site.constant.value
    assert isinstance(old, float)
    way = 1 if chance(3) < 0.5 else -1
    new = float(f"{old * (1 + way * placebos.STEP * (0.5 + chance(2))):.7g}")  # so that there are many
    was, values = {site.name: old}, {site.name: new}
    title = narration.change(values, was)
    edits = {site.path: replace(files[site.path], {site.constant.name: new}, site.path)}
    if Notes.of(like) is None:
        hypothesis = like.hypothesis and WORDS[int(chance(4) * len(WORDS))].format(site.name)
        return Disguise(like.researcher, Proposal(title, hypothesis, edits, like.expected))

    known, first = noise(study), starts(everybody, present)
    ranges = {one.name: around(one.constant, first[one.name]).holding(one.constant.value) for one in sites}
    now = Situation(present, ranges, trials, study.champion, known.sd if known is not None else 0.0)
    kind: Kind = "random" if like.notes.get("sampler") == "random" else "tpe" if site.name in looked else "first look"
    span = ranges[site.name]
    usual = Move(kind, {site.name: span.value(min(1.0, max(0.0, span.place(old) + way * USUAL_STEP)))})
    notes: dict[str, object] = {"params": {**present, **values}, "was": was, "parent": study.champion, "sampler": kind}
    notes |= _steered([x for x in everybody if x.researcher == like.researcher])
    said = (
        *narration.overview(study.contract.metric, now.noise, now),
        *narration.choice(Move(kind, values), now),
    )
    proposal = Proposal(title, narration.hypothesis(usual, now), edits, narration.expected(usual, now), notes=notes)
    return Disguise(like.researcher, proposal, said)


def _steered(own: list[Experiment]) -> dict[str, object]:
    """What a person has told that researcher to search, or to leave."""
    return {key: own[-1].notes[key] for key in ("only", "frozen") if key in own[-1].notes}
