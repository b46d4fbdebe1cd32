"""The first line at the top: is the loop alive, is it any good, how far is it, when does it end; and the views' tabs.

Pure: text from a `ViewState` and a time. In a narrow terminal the least important words go first, whole ones.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loop.policy import ablation, climbing, early_stop, limits, placebos, validation
from loop.reporting import table
from loop.reporting.table import change, networked
from loop.study.outcomes import NO_NUMBER, Outcome
from loop.study.state import Study
from loop.words import clock, duration
from tui.model.doing import Doing, doing
from tui.model.view_state import ViewState
from tui.render.glyphs import Glyphs
from tui.render.packing import Part, packed, part
from tui.render.text import Line, Span, age, cells, cut, fit, line_cells, number, one_line, plus_minus, spread

_SETTLED = 1800.0
"""Seconds at work from which a supervisor's own rate is told: one verdict in a minute is not sixty an hour."""

STALE = 15.0
"""Seconds without a heartbeat after which a living supervisor counts as stale; the slowest beat is 5 s."""


@dataclass(frozen=True, slots=True)
class Life:
    """Whether a supervisor is at work, in one word, and what there is to say about it."""

    word: str
    role: str
    why: str = ""

    @property
    def alive(self) -> bool:
        """A supervisor is at work, even if it has not been heard of for a while."""
        return self.word in ("live", "stale")


def life(state: ViewState, pid: int | None, now: float) -> Life:
    """What the lock (`pid` of its holder, or None) and the heartbeat say together."""
    supervisor = state.study.supervisor
    age = now - state.heartbeat
    if pid is not None:
        if supervisor is not None and supervisor.stopped_at is None and age > STALE and state.heartbeat:
            return Life("stale", "warn", f"no heartbeat for {clock(age)}")
        return Life("live", "good")
    if supervisor is None:
        return Life("not started", "dim")
    if supervisor.stopped_at is not None:
        return Life(
            "failed" if supervisor.failed else "stopped", "bad" if supervisor.failed else "dim", supervisor.reason
        )
    return Life("died", "bad", "killed, or the machine went down")


_DOING: dict[Doing, tuple[str, str]] = {
    "run": ("running", "good"),
    "verification": ("verifying", "good"),
    "thought": ("thinking", "good"),
    "between": ("between runs", "good"),
    "person": ("waits for you", "waiting"),
    "nothing": ("waiting", "warn"),
}
"""Word and role of what a loop at work is at."""


def state_word(state: ViewState, alive: Life, glyphs: Glyphs) -> tuple[str, str, str]:
    """Sign, word and role of what the loop is doing."""
    study = state.study
    if not alive.alive:
        return ("!" if alive.role == "bad" else "○" if not glyphs.ascii else "o"), alive.word, alive.role
    if study.state == "running":
        now = doing(study)
        return glyphs.state["waiting"] if now == "person" else glyphs.live, *_DOING[now]
    return {
        "baseline": (glyphs.live, "baseline", "running"),
        "paused": ("‖" if not glyphs.ascii else "=", "paused", "warn"),
        "no room": ("‖" if not glyphs.ascii else "=", "no room", "warn"),
        "stopping": ("■" if not glyphs.ascii else "#", "stopping", "warn"),
    }.get(study.state, (glyphs.dot, "starting", "dim"))


def status_line(state: ViewState, alive: Life, now: float, width: int, glyphs: Glyphs, read_only: bool = False) -> Line:
    """Study, what goes on, experiments and their rate, best, the last gain, what is left of the limits, liveness."""
    study = state.study
    until = now if alive.alive else state.heartbeat
    tag = one_line(study.tag) or "looptop"
    parts = [
        part(3, [(cut(tag, 10), "strong")], [(cut(tag, 24), "strong")]),
        part(0, *state_forms(state, alive, glyphs), grows=5),
        part(6, *_time(study, until)),
        part(1, *_counts(study, glyphs), grows=6),
        part(6, _rate(state, until)),
        part(1, *best_forms(state), grows=4),
        part(3, _claimed(study)),
        part(7, *_stops(study), grows=8),
        part(7, *gained_forms(study, until), grows=8),
        part(4, _validating(study)),
        part(4, _ablating(study)),
        part(4, _climbing(study)),
        part(8, *placebo_forms(study), grows=9),
        part(3, *money_forms(study, until), grows=8),
        part(4, _failures(study)),
        part(6, *(_ends(study, until) if alive.alive else []), grows=9),
    ]
    if read_only:
        parts.append(part(3, [("read-only", "warn")], right=True))
    if words := open_to(study, alive):
        parts.append(part(0, [(words, "bad")], right=True))
    if state.share < 1:
        parts.append(part(0, [(f"reading the journal {state.share:.0%}", "warn")], right=True))
    if alive.alive and alive.why:
        parts.append(part(2, [(alive.why, alive.role)], right=True))
    if alive.alive:
        parts.append(part(0, [(alive.word, alive.role)], right=True))
    return packed(parts, width)


def state_forms(state: ViewState, alive: Life, glyphs: Glyphs) -> list[list[Span]]:
    """What the loop is doing; in the longer form how many of each are at what."""
    sign, word, role = state_word(state, alive, glyphs)
    study = state.study
    if not alive.alive or study.state not in ("running", "baseline"):
        return [[(f"{sign} {word}", role)]]
    running, verifying, thinking = len(study.running()), len(study.verifying()), len(study.minds.thoughts)
    counts = ((running, "running"), (verifying, "verifying"), (thinking, "thinking"))
    busy = [f"{count} {what}" if count > 1 else what for count, what in counts if count]
    if study.state == "baseline" or not busy or word not in ("running", "verifying", "thinking"):
        return [[(f"{sign} {word}", role)]]
    return [[(f"{sign} {busy[0]}", role)], [(f"{sign} {f' {glyphs.dot} '.join(busy)}", role)]]


def open_to(study: Study, alive: Life) -> str:
    """Whether the loop at work has no sandbox, so that a run can do whatever the person can, or one with a network."""
    supervisor = study.supervisor
    if not alive.alive or supervisor is None or not supervisor.sandbox:
        return ""
    return "no sandbox" if supervisor.sandbox == "off" else networked(study)


def _time(study: Study, until: float) -> list[list[Span]]:
    """Time under supervision, and the limit on it."""
    text = clock(3600 * study.hours(until))
    limit = study.contract.limits.hours
    forms: list[list[Span]] = [[(text, "dim")]]
    return forms if limit is None else [*forms, [(f"{text} of {duration(3600 * limit)}", "dim")]]


def _counts(study: Study, glyphs: Glyphs) -> list[list[Span]]:
    verdicts, limit = study.verdicts(), study.contract.limits.experiments
    failed = sum(verdicts[name] for name in NO_NUMBER)
    total: Span = (f"exp {study.judged()}" + ("" if limit is None else f"/{limit}"), "text")
    signs: list[Span] = []
    for name, count in (
        (Outcome.KEPT, verdicts["kept"]),
        (Outcome.DISCARDED, verdicts["discarded"]),
        (Outcome.CRASHED, failed),
        (Outcome.REJECTED, verdicts["rejected"]),
    ):
        if count or name in (Outcome.KEPT, Outcome.DISCARDED):
            signs.append((f" {glyphs.state[name]}{count}", name))
    return [[total], [total, *signs]]


def _rate(state: ViewState, until: float) -> list[Span]:
    """Experiments an hour: of the last hour, or of all hours while this supervisor has not been at work for long."""
    study, rate = state.study, state.an_hour(until)
    if study.judged() < 3 or study.supervisor is None:
        return []
    if rate is None or until - study.supervisor.started_at < _SETTLED:
        hours = study.hours(until)
        if hours < 0.2:
            return []
        rate = study.judged() / hours
    return [(f"{rate:.3g}/h", "dim")]


def best_forms(state: ViewState) -> list[list[Span]]:
    """The champion's mean, its error, its distance from the baseline, and how many runs it is known from."""
    best = state.figures.best
    if best is None:
        return []
    lead: Span = ("best ", "dim")
    mean: Span = (number(best.mean), "strong")
    moved = change(state.study)
    both = table.moved(state.study)
    runs = f"{best.runs} run{'s' if best.runs > 1 else ''}" if best.runs else ""
    forms: list[list[Span]] = [[lead, mean]]
    if moved:
        forms.append([lead, mean, (f" ({moved})", "kept")])
    if error := plus_minus(best.error):
        told = ", ".join(filter(None, (moved, runs)))
        forms.append([lead, mean, (f" {error}", "dim"), (f" ({told})", "kept" if moved else "dim")])
        if both != moved:
            told = ", ".join(filter(None, (both, runs)))
            forms.append([lead, mean, (f" {error}", "dim"), (f" ({told})", "kept")])
    return forms


def _claimed(study: Study) -> list[Span]:
    """What is said of a best number that only the edited program itself has measured."""
    return [("self-reported", "warn")] if study.best is not None and study.contract.verify is None else []


def _stops(study: Study) -> list[list[Span]]:
    """How often the end of hopeless runs was wrong, of the runs that went on to tell; nothing while none did."""
    found = early_stop.account(study)
    if early_stop.mode(study) == "off" or not found.audited:
        return [[]]
    role = "warn" if found.false else "dim"
    most = f"at most {found.at_most:.0%}"
    return [
        [(f"false stops {found.false}/{found.audited}", role)],
        [(f"false stops: {found.false} of {found.audited} audited, {most}", role)],
    ]


def gained_forms(study: Study, until: float) -> list[list[Span]]:
    """When the champion took over."""
    best = study.best
    if best is None or not best.id or best.judged_at is None:
        return []
    text = f"gain {age(max(0.0, until - best.judged_at))} ago"
    return [[(text, "dim")], [(f"last {text} (#{best.id})", "dim")]]


def _validating(study: Study) -> list[Span]:
    """How far a validation is."""
    if study.validation is None:
        return []
    done, of = validation.progress(study, study.validation)
    return [(f"validating {done}/{of}", "running")]


def _climbing(study: Study) -> list[Span]:
    """Who climbs the ladder, and how far it is."""
    if study.climb is None:
        return []
    began = study.climb.began
    return [(f"{began.experiment} on {began.rung} {climbing.told_progress(study, study.climb, short=True)}", "running")]


def _ablating(study: Study) -> list[Span]:
    """How far an ablation is."""
    if study.ablation is None:
        return []
    done, of = ablation.progress(study, study.ablation)
    return [(f"ablating {done}/{of}", "running")]


def placebo_forms(study: Study) -> list[list[Span]]:
    """How many placebos the judge has kept, beside what its confidence promises at most."""
    found = placebos.rate(study)
    if found is None:
        return []
    role = "dim" if found.holds else "bad"
    short = f"placebos {found.kept}/{found.judged} kept"
    return [[(short, role)], [(f"{short} ({found.low:.0%} to {found.high:.0%}, promised {found.promised:.1%})", role)]]


def money_forms(study: Study, until: float) -> list[list[Span]]:
    """Money or tokens, and of how much; in the longer form what an hour costs, and how long the rest lasts."""
    bounds, hours = study.contract.limits, study.hours(until)
    if not study.usd and not study.tokens and not study.usd_unknown:
        return []  # an optimiser costs nothing, and `$0.00/25` would only take room
    if bounds.tokens is not None or (not study.usd and study.usd_unknown):
        used, most = float(study.tokens), None if bounds.tokens is None else float(bounds.tokens)
        text = f"{used / 1000:,.0f}k{'' if most is None else f'/{most / 1000:,.0f}k'} tokens"
        burn = f"{used / 1000 / hours:,.0f}k/h" if hours > 0.1 else ""
    else:
        used, most = study.usd, bounds.usd
        text = f"${used:.2f}{'+' * study.usd_unknown}{'' if most is None else f'/{most:g}'}"
        burn = f"~${used / hours:.2g}/h" if hours > 0.1 else ""
    role = "warn" if most is not None and used > 0.9 * most else "dim"
    forms = [[(text, role)]]
    if burn:
        forms.append([(f"{text} {burn}", role)])
        if most is not None and used:
            forms.append([(f"{text} {burn}, lasts {duration(3600 * max(0.0, most - used) * hours / used)}", role)])
    return forms


def _failures(study: Study) -> list[Span]:
    """Failures in a row, once half of those that end the loop have come."""
    found = next((one for one in limits.limits(study) if one.name == "failures"), None)
    if found is None or found.used < max(2, found.limit / 2):
        return []
    return [(f"{found.used:.0f} of {found.limit:.0f} failures in a row", "warn")]


def _ends(study: Study, until: float) -> list[list[Span]]:
    """When the tightest limit will be reached, if all goes on as so far."""
    hours = study.hours(until)
    used = [one for one in limits.limits(study, until) if one.name in ("experiments", "hours", "usd", "tokens")]
    left = [(one.left * hours / one.used, one.name) for one in used if one.used > 0]
    if not left or hours < 0.05:
        return []
    soonest, name = min(left)
    clock_words = time.strftime("%H:%M" if soonest < 12 else "%a %H:%M", time.localtime(until + 3600 * soonest))
    text = f"ends ~{clock_words}" if soonest < 144 else f"ends in {duration(3600 * soonest)}"
    by = {"usd": "money", "hours": "time"}.get(name, name)
    longer = [f"{text} ({by})", f"{text}, in {duration(3600 * soonest)} ({by})" if soonest < 144 else f"{text} ({by})"]
    return [[(words, "dim")] for words in dict.fromkeys([text, *longer])]


def tabs_line(active: str, width: int, note: Sequence[Span], keys: Mapping[str, str]) -> Line:
    """The views by their `keys`, the one on screen marked; a word of that view's own on the right. In a narrow terminal
    the last names give way, never that of the view on screen."""
    least = 1 + sum(1 + cells(key) for key in keys.values()) + len(active) + 3
    space = min(width // 2, width - 3 - least)
    note = fit(note, space) if note and space >= 10 else ()
    room = width - 1 - (line_cells(note) + 2 if note else 0)
    named = {active}
    used = least
    for view in keys:
        if view != active and used + len(view) + 1 > room:
            break
        used += 0 if view == active else len(view) + 1
        named.add(view)
    spans: list[Span] = [(" ", "text")]
    for view, key in keys.items():
        here = view == active
        spans.append((f" {key}", "key+cursor" if here else "faint"))
        if view in named:
            spans.append((f" {view} ", "strong+cursor") if here else (f" {view}", "dim"))
    return spread(spans, [*note, (" ", "text")] if note else [], width)


def brief_line(state: ViewState, alive: Life, width: int, glyphs: Glyphs) -> Line:
    """What has to be seen wherever a person is: what the loop is doing, who waits, the best; for one line of room."""
    sign, word, role = state_word(state, alive, glyphs)
    best, waiting = state.figures.best, state.waiting()
    parts: list[Part] = [
        part(0, [(f"{sign} {word}", role)]),
        part(
            1, [(f"{glyphs.flag} {len(waiting)} wait{'s' if len(waiting) == 1 else ''}", "waiting")] if waiting else []
        ),
        part(2, [] if best is None else [("best ", "dim"), (number(best.mean), "strong")]),
        part(3, [(f"exp {state.study.judged()}", "text")]),
    ]
    if words := open_to(state.study, alive):
        parts.append(part(1, [(words, "bad")]))
    return packed(parts, width)
