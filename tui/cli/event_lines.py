"""The loop without a screen: what `looptop run --headless` prints, a plain line for each event as it happens."""

import time
from collections import Counter
from pathlib import Path

from loop.journal import Journal
from loop.policy import ablation, early_stop, honesty, ladder, limits, placebos, request_table, validation
from loop.reporting import summary
from loop.study import events as e
from loop.study.folding import FOLDED, apply, fold
from loop.study.queries import uncounted
from loop.study.state import Study
from tui.cli.status_text import safe, sign, word
from tui.render.text import cut
from tui.render.troubles import clock_words

LONGEST = 200
"""Characters of such a line."""
MOST_WORDS = 80
"""Lines of what a researcher says about one experiment that are printed; the cockpit shows all."""


async def print_events(path: Path) -> None:
    """Print what is appended to the journal at `path` from now on, until the supervisor has stopped."""
    with Journal(path) as journal:
        study: Study = fold(journal.read(kinds=FOLDED))
        spoken = Spoken()
        async for events in journal.follow(study.seq):
            for event in events:
                apply(study, event)
                for said in spoken.lines(event):
                    print(said, flush=True)
                if (text := line(event, study)) is not None:
                    print(text, flush=True)
                if event.kind == "supervisor_stopped":
                    onward = limits.onward(study)
                    print("\n".join([*summary.sentences(study), *([onward] if onward else [])]), flush=True)
                    return


class Spoken:
    """What researchers say and which tools they use, as lines; their words come in pieces of any length."""

    def __init__(self) -> None:
        self._pieces: dict[tuple[str, int | None], str] = {}
        self._printed: Counter[int | None] = Counter()

    def lines(self, event: e.Event) -> list[str]:
        """Lines that an event completes, with its time and who speaks."""
        match event.body:
            case e.Thought(researcher=name, text=text):
                key = (name, event.experiment)
                *ended, rest = (self._pieces.pop(key, "") + text).split("\n")
                self._pieces[key] = rest[-LONGEST:]
            case e.ToolCalled(researcher=name, intent=intent, result=result):
                ended = [f"[{intent}] {result}"]
            case _:
                return []
        said = [f"{name}: {cut(line.strip(), LONGEST)}" for line in ended if line.strip()]
        printed = self._printed[event.experiment]
        self._printed[event.experiment] += len(said)
        if printed <= MOST_WORDS < printed + len(said):
            said = [*said[: MOST_WORDS - printed], f"{name}: (the cockpit shows the rest)"]
        elif printed > MOST_WORDS:
            return []
        clock = time.strftime("%H:%M:%S", time.localtime(event.at))
        return safe([f"{clock}  {line}" for line in said])


def line(event: e.Event, study: Study) -> str | None:
    """One event as a line; None for events that need none, such as samples and thoughts.

    Args:
        study: the study with this event folded in.
    """
    text = _text(event, study)
    if text is None:
        return None
    (line,) = safe([f"{time.strftime('%H:%M:%S', time.localtime(event.at))}  {text}"])
    return line


def _text(event: e.Event, study: Study) -> str | None:
    number = event.experiment
    match event.body:
        case e.StudyStarted(branch=branch, contract=contract):
            better = "lower" if contract.goal == "min" else "higher"
            return f"study on branch {branch}: {contract.metric}, {better} is better"
        case e.SupervisorStarted(pid=pid, slots=slots):
            return f"supervisor {pid} at work, slots: {', '.join(slots)}"
        case e.Stopped(now=False) if running := study.running():
            experiment, run = running[0]
            name = f"{experiment.id}.{run.number}"
            who = event.body.who or "a person"
            return f"{who} asked to stop the loop after run {name} (ctrl+c once more ends it at once)"
        case e.SupervisorStopped(reason=reason, failed=failed):
            return f"{'FAILED' if failed else 'stopped'}: {reason}"
        case e.ProgramChanged(changed=changed):
            return f"program.md changed: {', '.join(changed)}"
        case e.LimitReached(reason=reason):
            return f"limit reached: {reason}"
        case e.Fault(where=where, message=message):
            return f"! {where}: {message}"
        case e.Recovered(where=where):
            return f"{where} works again"
        case e.ClockMoved() as moved:
            return clock_words(moved)
        case e.ResearcherJoined(name=name, about=about):
            return f"{name} proposes: {about}"
        case e.Claimed(researcher=researcher, title=title):
            return f"{researcher} is about to try {title}"
        case e.CheckoutChanged(files=files, lines_added=added, lines_removed=removed) if files:
            return f"{', '.join(files)} changed in your checkout (+{added} -{removed}): looptop submit runs it"
        case e.Rehearsed(proof=proof, said=said, seconds=seconds):
            took = f" ({seconds:.1f} s)" if seconds else ""
            return f"{'' if proof == 'proven' else '! '}rehearsal: {said}{took}"
        case e.ExperimentProposed(title=title, researcher=researcher):
            return f"experiment {number} by {researcher}: {title}"
        case e.ApprovalAsked(reason=reason):
            return f"experiment {number} is waiting for your approval ({reason}): looptop approve {number}"
        case e.PlaceboOpened(kept=kept):
            rate = placebos.rate(study)
            so_far = f"; so far {placebos.told(rate)}" if rate is not None else ""
            was = "kept by the judge, and taken back" if kept else "discarded" if kept is not None else "not judged"
            return f"experiment {number} was a placebo, {was}{so_far}"
        case e.ValidationBegan(champion=champion, seeds=seeds):
            return f"validation: experiment {champion} and the baseline, {len(seeds)} runs each with fresh seeds"
        case e.ValidationEnded() as ended:
            return f"validated: {validation.told(study.contract.metric, ended)}"
        case e.AblationBegan(champion=champion, factors=factors, rows=rows):
            changes = "1 change" if len(factors) == 1 else f"{len(factors)} changes"
            return f"ablation: {changes} in experiment {champion}, taken out in turn in {len(rows)} runs"
        case e.AblationEnded() as ablated:
            return f"ablated: {ablation.told(ablated)}"
        case e.ClimbBegan() as began:
            beside = "" if began.against is None else f"experiment {began.against} and "
            runs = f"{len(began.seeds)} runs each with fresh seeds"
            return f"climbing: experiment {began.experiment} on {began.rung} beside {beside}the baseline, {runs}"
        case e.ClimbEnded() as climbed:
            return ladder.told(study, climbed)
        case e.SlotsReserved(sets=sets, experiment=x, rung=rung, why=why):
            if why:
                return f"! the climb of experiment {x} to {rung} waits: {why}"
            names = study.supervisor.slots if study.supervisor is not None else ()
            each = [" + ".join(names[slot] for slot in one if slot < len(names)) for one in sets]
            what = f"are reserved for experiment {x} on {rung}" if rung else "are reserved for the run in them"
            return f"{', '.join(each)} {what}" if sets else "the reserved slots are given back"
        case e.RunStarted(seed=seed, budget=budget, rung=rung):
            on = f" on {rung}" if rung else ""
            on += f", {event.body.slot_name}" if event.body.also else ""
            return f"run {number}.{event.run} started{on}: seed {seed}, budget {budget:g} s"
        case e.RunAdopted(slot_name=slot):
            return f"run {number}.{event.run} goes on, and is taken over on {slot}"
        case e.RunCondemned() as condemned if condemned.then != "stopped":  # else its end says so
            return f"run {number}.{event.run} {early_stop.announced(condemned)}"
        case e.RunFinished() as run:
            return _finished(run, f"run {number}.{event.run}", _not_counted(event, study))
        case e.Verified(metric=metric, reason=reason, check=check):
            found = f"{metric:.6g}" if metric is not None else f"{check} failed: {reason}{_not_counted(event, study)}"
            return f"run {number}.{event.run} verified: {found}"
        case e.ExperimentJudged(verdict=verdict, reason=reason):
            return f"experiment {number} {sign(verdict)} {word(verdict)}: {reason}"
        case e.ChampionChanged(metric=metric) if number:
            return f"new champion: experiment {number}" + ("" if metric is None else f", {metric:.6g}")
        case e.ChampionChanged() if notices := honesty.notices(study):
            return "\n".join(f"! {notice}" for notice in notices)
        case e.RequestFulfilled(outcome=outcome):
            return f"→ {outcome}"
        case e.Request() as request:
            return _request(request, number, event.run)
        case _:
            return None


def _not_counted(event: e.Event, study: Study) -> str:
    """Such as "; val_bpb 0.9712 is not counted", of a run; empty where its number counts or it has none."""
    found = study.experiments.get(-1 if event.experiment is None else event.experiment)
    run = found.runs.get(-1 if event.run is None else event.run) if found is not None else None
    number = uncounted(run, study.contract) if run is not None else None
    return "" if number is None else f"; {study.contract.metric} {number:.6g} is not counted"


def _finished(run: e.RunFinished, name: str, number: str) -> str:
    text = f"{name} {run.outcome.word} after {run.seconds:.1f} s"
    if run.reason:
        text += f": {run.reason}{number}"
    if run.leftovers:
        text += f" ({run.leftovers} leftover processes ended)"
    if run.outcome.is_broken and run.tail:
        text += "".join(f"\n          | {tail}" for tail in run.tail.splitlines()[-15:])
    return text


def _request(request: e.AnyRequest, number: int | None, run: int | None) -> str:
    words = ""
    if isinstance(request, e.Steered | e.Pinned | e.Noted):
        words = f": {request.text}"
    elif isinstance(request, e.Submitted):
        words = f": {request.title}"
    asked = request_table.of(request).words(number, run)
    return f"{request.who or 'a person'} asked to {asked}{words}"
