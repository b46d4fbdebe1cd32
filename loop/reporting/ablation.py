"""What a study's ablations have come to, as text and as data. Pure."""

from typing import Any

from loop.policy import ablation
from loop.policy.comparison import figure
from loop.study.ablation import Ablation, Worth
from loop.study.figures import Figures
from loop.study.state import Study

TITLE = 44
"""Cells of a title in the table."""


def as_data(study: Study) -> dict[str, Any]:
    """What `looptop ablate --json` prints, and `looptop status --json` under `ablation`.

    `result` is the newest that came to numbers under the present protocol, of whichever champion. Worths are in the
    metric's units, and positive where the change helps.
    """
    now, newest = study.ablation, ablation.newest(study)
    return {
        "under_way": None if now is None else _progress(study, now),
        "result": None if newest is None else newest.model_dump(exclude={"kind", "v"}),
        "barnacles": [list(one.changes) for one in ablation.barnacles(study)],
        "earlier": [
            one.ended.model_dump(exclude={"kind", "v"})
            for one in study.ablations
            if one.ended is not None and one.ended is not newest
        ],
    }


def _progress(study: Study, now: Ablation) -> dict[str, Any]:
    done, of = ablation.progress(study, now)
    return {
        "champion": now.began.champion,
        "factors": [list(one) for one in now.began.factors],
        "began_at": now.began_at,
        "runs": done,
        "of": of,
    }


def progress(study: Study) -> str:
    """How far the ablation under way is; empty where none is."""
    if (now := study.ablation) is None:
        return ""
    done, of = ablation.progress(study, now)
    idle = "" if now.began.request is not None else ", in idle slots"
    return (
        f"measuring the {len(now.began.factors)} changes in experiment {now.began.champion}: {done} of {of} runs{idle}"
    )


def lines(study: Study) -> list[str]:
    """`looptop ablate --show`: how far one is, and what each kept change is worth by the newest."""
    found = [progress(study)] if study.ablation is not None else []
    ended = next((one.ended for one in reversed(study.ablations) if one.ended is not None), None)
    newest = ablation.newest(study)
    if ended is not None and ended is not newest:
        found.append(ablation.told(ended))
    if newest is None:
        return found
    found.append(ablation.told(newest))
    if newest.champion != study.champion:
        found.append(f"(the champion is experiment {study.champion} by now)")
    found += _table(study, newest.worths)
    if said := ablation.compared(newest):
        whole = {"validation": "the validation", "runs": "all runs of champion and baseline", "": ""}
        found.append(f"{said} (the whole is by {whole[newest.whole_from]})")
    if said := ablation.noise_words(newest):
        found.append(f"intervals hold 95%, by {said}")
    return [*found, *proposals(study)]


def _table(study: Study, worths: tuple[Worth, ...]) -> list[str]:
    figures, rows = Figures(study), []
    for one in sorted(worths, key=lambda one: -one.worth):
        kept = [study.experiments[number] for number in one.changes if number in study.experiments]
        then = [effect for x in kept if (effect := figures.effect(x)) is not None]
        before = figure(sum(then), 3) if then else ""
        title = " + ".join(x.title for x in kept)
        number = "+".join(map(str, one.changes))
        spread = f"{figure(one.low, 3)} to {figure(one.high, 3)}"
        rows.append((number, figure(one.worth, 3), spread, before, ablation.opinion(one), title[:TITLE]))
    head = ("change", "worth", "95% interval", "when kept", "", "title")
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return [
        "  " + "  ".join(cell.rjust(width) if column < 4 else cell.ljust(width)
                         for column, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in (head, *rows)
    ]  # fmt: skip


def proposals(study: Study) -> list[str]:
    """What to do about kept changes that are worth nothing, a line each."""
    return [
        f"{ablation.changes(one.changes)}: {ablation.opinion(one)} in today's champion; `looptop without "
        f"{one.changes[0]}` proposes it without"
        for one in ablation.barnacles(study)
    ]


def sentence(study: Study) -> str:
    """What a summary says of it; empty where nothing was looked at."""
    if study.ablation is not None:
        return f"{progress(study)[:1].upper()}{progress(study)[1:]}."
    if (newest := ablation.newest(study)) is None:
        return ""
    said = ablation.told(newest)
    nothing = ablation.barnacles(study)
    more = ""
    if newest.gap is not None and not newest.gap.low <= 0 <= newest.gap.high:
        more = f" Their sum is not the whole: {ablation.agreement(newest)}."
    if nothing:
        numbers = [number for one in nothing for number in one.changes]
        more += f" Worth nothing today: {ablation.changes(numbers)} (`looptop without {numbers[0]}`)."
    return f"{said[:1].upper()}{said[1:]}; `looptop ablate --show` has each.{more}"


def of_champion(study: Study, number: int) -> str:
    """The sum of the worths beside the whole, where the newest ablation was of that champion; else empty."""
    newest = ablation.newest(study)
    return ablation.compared(newest) if newest is not None and newest.champion == number else ""


def of_change(study: Study, number: int) -> str:
    """What a kept change is worth today, in a few words; empty where nobody has measured it."""
    if (found := ablation.worth_of(study, number)) is None or (newest := ablation.newest(study)) is None:
        return ""
    others = [str(one) for one in found.changes if one != number]
    beside = f", together with {', '.join(others)}" if others else ""
    where = "today's champion" if newest.champion == study.champion else f"experiment {newest.champion}"
    return f"in {where} {ablation.span(found)}{beside}: {ablation.opinion(found)}"
