"""The mind's stream: events as paragraphs of a text buffer, each with a kind that says how it looks.

Plain data, no screen and no clock. Thoughts are joined without a separator, as researchers stream them; a line of
three backticks opens and closes code, in which the lines of a diff stand out. Once a proposal ends a thought, its
paragraphs can be folded into the line that names the researcher.
"""

import time
from collections.abc import Iterable

from loop.policy import early_stop, honesty, request_table
from loop.study import events as e
from loop.study.queries import uncounted
from loop.study.state import Study
from tui.model.markdown_lines import aligned, is_note, is_row, mark_of, repeats, repeats_note
from tui.model.text_buffer import Paragraph, TextBuffer
from tui.render.text import brief, clean, cut, number, one_line, sigmas
from tui.render.troubles import clock_words

MIND = frozenset(
    {"thought", "tool_called", "experiment_proposed", "experiment_judged", "champion_changed", "approval_asked"}
    | {"fault", "limit_reached", "supervisor_started", "supervisor_stopped", "program_changed", "request_fulfilled"}
    | {"recovered", "clock_moved", "checkout_changed", "rehearsed", "researcher_joined"}
    | {"note_written", "notebook_rewritten"}
    | e.REQUESTS
)
"""Kinds that leave a line in the mind view."""

_PIECE = 4000
"""Characters of one paragraph; a longer line goes on in another, so that none takes for ever to lay out."""

_THINKING = ("thought", "thinking", "table", "code", "fence", "tool", "gap")
"""Kinds of paragraph that a finished thought is made of."""


_PAUSE = 2.0
"""Seconds after which one who has stopped in the middle of a line gives way to another."""


class Transcript:
    """Turns events into paragraphs of a text buffer.

    Args:
        study: knows the requests that fulfilments refer to; only read.
    """

    def __init__(self, study: Study, buffer: TextBuffer | None = None) -> None:
        self.study = study
        self.buffer = TextBuffer() if buffer is None else buffer
        self._speaker: tuple[str, int | None] = ("", None)
        self._head: Paragraph | None = None
        """The line that names the researcher of the thought in progress."""
        self._open = False
        """Whether the last paragraph is a thought whose line has not ended."""
        self._blank = False
        """A blank line has come, and nothing after it yet."""
        self._code = False
        self._troubles: dict[str, tuple[str, int]] = {}
        """What is being waited for, by who waits: the message, and how often it was tried."""
        self._seq = 0
        self._who = ""
        """The researcher whose paragraph comes next; empty for what is nobody's."""
        self._spoke = 0.0
        """Unix seconds of the newest piece of the thought on show."""
        self._held: dict[tuple[str, int | None], list[tuple[e.Thought, str]]] = {}
        """What others have said while a line of one was not ended: two at once would cut each other to shreds."""
        self._table: list[Paragraph] = []
        """Rows of the table that the last lines are."""

    def tell(self, event: e.Event) -> None:
        """Add what an event says to the stream."""
        body, now = event.body, time.strftime("%H:%M", time.localtime(event.at))
        self._seq = event.seq
        if not isinstance(body, e.Thought):
            self.release()
        self._who = self._whose(event)
        match body:
            case e.Thought():
                self._hear(body, event, now)
            case e.ToolCalled():
                self._speak(body.researcher, event.experiment, now)
                self._line("tool", f"{body.intent}  →  {body.result}", "  ▸ ", brief(body.seconds))
            case e.ExperimentProposed():
                self._end_line()
                noted = []  # between an agent's last words and the proposal that is made of them
                while self.buffer.paragraphs and self.buffer.paragraphs[-1].kind == "noted":
                    noted.append(self.buffer.paragraphs[-1].text)
                    self.buffer.pop()
                while self.buffer.paragraphs and repeats(self.buffer.paragraphs[-1].text, body):
                    self.buffer.pop()  # its last words, which the proposal says again
                self.finish()
                self._gap()
                self._line("proposal", f"{event.experiment}  {body.title}", "  ", now)
                if body.hypothesis:
                    self._line("hypothesis", body.hypothesis, "   ")
                if body.expected:
                    self._line("hypothesis", f"expects {body.expected}", "   ")
                for text in reversed(noted):
                    self._line("noted", text, "   ")
            case e.ExperimentJudged():
                self._verdict(event, body, now)
            case e.ChampionChanged():
                self._line("champion", f"{event.experiment} is the champion at {number(body.metric)}", "★ ", now)
                for notice in honesty.notices(self.study) if event.experiment == 0 else ():
                    self._line("fault", notice, "! ", now)
            case e.RunAdopted(slot_name=slot):
                self._line("note", f"run {event.experiment}.{event.run} goes on, taken over on {slot}", "  ", now)
            case e.RunCondemned() if body.then != "stopped":  # else its verdict says so
                said = f"run {event.experiment}.{event.run} {early_stop.announced(body)}"
                self._line("note", said, "  ", now)
            case e.ApprovalAsked():
                self._line("waiting", f"{event.experiment} waits for a person: {body.reason}", "? ", now)
            case e.Request() | e.RequestFulfilled():
                self._request(event, body, now)
            case _:
                self._loop(body, now)

    def _loop(self, body: e.Body, now: str) -> None:
        """Events of the loop as a whole."""
        match body:
            case e.Fault() if self._told_before(body):
                pass
            case e.Fault():
                moment = None if body.next_at is None else time.localtime(body.next_at)
                again = "" if moment is None else time.strftime(" (again at %H:%M:%S)", moment)
                self._line("fault", f"{body.where}: {body.message}{again}", "! ", now)
            case e.Recovered():
                _, tries = self._troubles.pop(body.where, ("", 0))
                after = f" after {tries} failed tries" if tries > 1 else ""
                self._line("note", f"{body.where} works again{after}", "  ", now)
            case e.ClockMoved():
                self._line("note", clock_words(body), "  ", now)
            case e.CheckoutChanged(files=files, parent=parent):
                size = f"(+{body.lines_added} -{body.lines_removed} on experiment {parent})"
                changed = f"{', '.join(files)} changed in your checkout {size}: :submit runs it"
                self._line("note", changed if files else f"your checkout is as experiment {parent} again", "  ", now)
            case e.Rehearsed():
                kind, lead = ("note", "  ") if body.proof == "proven" else ("fault", "! ")
                self._line(kind, f"rehearsal: {body.said}", lead, now)
            case e.ResearcherJoined():
                self._line("note", f"{body.name} proposes: {body.about}", "  ", now)
            case e.Claimed():
                self._line("note", f"{body.researcher} is about to try {body.title}", "  ", now)
            case e.NoteWritten():
                self._note_down(body)
            case e.LessonWritten():
                self._line("hypothesis", f"learnt from it: {body.text}", "   ")
            case e.IdeaWritten():
                self._line("hypothesis", f"an idea for later: {body.text}", "   ")
            case e.NotebookRewritten():
                words = f"{len(body.text.split()):,} words"
                self._line("note", f"{body.researcher} rewrote the notebook in {words}", "  ", now)
            case e.LimitReached():
                self._line("fault", f"limit reached: {body.reason}", "! ", now)
            case e.ProgramChanged():
                what = ", ".join(body.changed) or "nothing that counts"
                self._line("note", f"the program changed: {what}", "  ", now)
            case e.SupervisorStarted():
                self._troubles.clear()
                self._line("note", f"supervisor {body.pid} started on {body.host}", "  ", now)
            case e.SupervisorStopped():
                self._line("fault" if body.failed else "note", f"the loop has stopped: {body.reason}", "  ", now)
            case _:
                pass

    def _note_down(self, body: e.NoteWritten) -> None:
        """A note, in place of the lines at the end of an agent's words that are notes."""
        self._end_line()
        said = []
        for paragraph in reversed(self.buffer.paragraphs):
            if paragraph.kind not in ("thought", "thinking") or not is_note(paragraph.text):
                break
            said.append(paragraph.text)
        if any(repeats_note(text, body.text) for text in said):
            for _ in said:
                self.buffer.pop()
        self._line("noted", f"noted: {body.text}", "   ")

    def _told_before(self, fault: e.Fault) -> bool:
        """Whether it only repeats what is being waited for; the status line counts down to the next try."""
        if fault.next_at is None:
            return False
        message, tries = self._troubles.get(fault.where, ("", 0))
        self._troubles[fault.where] = (fault.message, tries + 1)
        return message == fault.message

    def _request(self, event: e.Event, body: e.AnyRequest | e.RequestFulfilled, now: str) -> None:
        match body:
            case e.RequestFulfilled():
                request = self.study.requests.get(body.request)
                if request is not None and isinstance(request.body, e.Request) and body.outcome:
                    name, outcome = request_table.of(request.body).name, body.outcome
                    self._line("note", outcome if outcome.startswith(name) else f"{name}: {outcome}", "  ", now)
            case e.Steered():
                self._gap()
                lead = f"{cut(one_line(body.who), 20) or 'you'} ▸ "
                for index, text in enumerate(clean(body.text).split("\n")):
                    right = "" if index else "interrupts" if body.interrupt else now
                    self._line("you", text, " " * len(lead) if index else lead, right)
                self._gap()
            case e.Pinned():
                self._line("you", body.text, f"{cut(one_line(body.who), 20) or 'you'} pins ▸ ", now)
            case e.Noted():
                who, what = cut(one_line(body.who), 20) or "you", f"notes on {event.experiment}"
                if body.text:
                    self._line("you", body.text, f"{who} {what} ▸ ", now)
                else:
                    self._line("note", f"{who}: took the note on {event.experiment} back", "  ", now)
            case e.Unpinned():
                what = "all pins" if body.pin is None else f"pin {body.pin}"
                self._line("note", f"{body.who or 'you'}: took {what} back", "  ", now)
            case e.Submitted():
                self._line("note", f"{body.who or 'you'}: submitted “{body.title}”, made on {body.parent}", "  ", now)
            case _:
                asked = request_table.of(body).words(event.experiment, event.run)
                self._line("note", f"{body.who or 'you'} asked to {asked}", "  ", now)

    # --- thoughts ----------------------------------------------------------------------------------------------

    def _speak(self, researcher: str, experiment: int | None, now: str) -> None:
        """Name who thinks about what, where that has changed."""
        if (researcher, experiment) == self._speaker:
            return
        self.finish()
        self._gap()
        self._speaker = (researcher, experiment)
        about = "" if experiment is None else f"  on {experiment}"
        self._line("speaker", f"{cut(one_line(researcher), 40)}{about}", "", now)
        self._head = self.buffer.paragraphs[-1]

    def _whose(self, event: e.Event) -> str:
        """The researcher whom an event is of; empty where it is nobody's, or a person's."""
        match event.body:
            case e.Thought(researcher=name) | e.ToolCalled(researcher=name) | e.NoteWritten(researcher=name):
                return name
            case e.ExperimentProposed(researcher=name) | e.LessonWritten(researcher=name):
                return name
            case e.ExperimentJudged() | e.ApprovalAsked():
                found = self.study.experiments.get(-1 if event.experiment is None else event.experiment)
                return "" if found is None else found.researcher
            case _:
                return ""

    def _hear(self, body: e.Thought, event: e.Event, now: str) -> None:
        """Add a piece of thought, or hold it back until the one on show has ended a line, or has paused."""
        speaker = (body.researcher, event.experiment)
        if self._open and speaker != self._speaker and event.at - self._spoke <= _PAUSE:
            self._held.setdefault(speaker, []).append((body, now))
            return
        for piece, then in self._held.pop(speaker, ()):
            self._think(piece, event.experiment, then)
        self._think(body, event.experiment, now)
        self._spoke = event.at
        while self._held and not self._open:
            self._release_first()

    def release(self) -> None:
        """Add all that was held back."""
        while self._held:
            self._release_first()

    def _release_first(self) -> None:
        speaker = next(iter(self._held))
        for piece, then in self._held.pop(speaker):
            self._who = piece.researcher
            self._think(piece, speaker[1], then)

    def _think(self, body: e.Thought, experiment: int | None, now: str) -> None:
        self._speak(body.researcher, experiment, now)
        for index, piece in enumerate(clean(body.text).split("\n")):
            if index:
                self._blank = not self._open
                self._end_line()
            if not piece:
                continue
            if self._open and len(self.buffer.paragraphs[-1].text) < _PIECE:
                self.buffer.extend(piece)
                continue
            if self._blank:
                self._gap()  # Markdown's blank line, where more comes after it
                self._blank = False
            kind = "code" if self._code else "thinking" if body.thinking else "thought"
            for start in range(0, len(piece), _PIECE):
                paragraph = Paragraph(kind, piece[start : start + _PIECE])
                self._hang(paragraph)
                self._add(paragraph)
            self._open = True

    def _end_line(self) -> None:
        """A line of a thought is complete: see whether it opens or closes code."""
        if self._open:
            last = self.buffer.paragraphs[-1]
            if last.text.lstrip().startswith("```"):
                last.kind = "fence"
                self._code = not self._code
            elif last.kind in ("thought", "thinking") and is_row(last.text):
                self._table.append(last)
                self._align()
            elif self._hang(last):
                self.buffer.redo(1)
        self._open = False

    def _hang(self, paragraph: Paragraph) -> bool:
        """Let the rows of an item of a list hang behind its mark; says whether it is one that does not hang yet."""
        if paragraph.kind not in ("thought", "thinking") or paragraph.lead or not (mark := mark_of(paragraph.text)):
            return False
        paragraph.lead, paragraph.text = mark, paragraph.text[len(mark) :]
        return True

    def _align(self) -> None:
        """Put the cells of the table at the end under each other, where it is not too wide for that."""
        texts = aligned([row.text for row in self._table])
        if texts is None:
            return
        for paragraph, text in zip(self._table, texts, strict=True):
            self.buffer.chars += len(text) - len(paragraph.text)
            paragraph.kind, paragraph.text = "table", text
        self.buffer.redo(len(self._table))

    def finish(self) -> None:
        """A thought has ended: it can be folded, and its first line says how long it was."""
        self._end_line()
        head, self._head = self._head, None
        if head is not None:
            words = 0
            for paragraph in reversed(self.buffer.paragraphs):
                if paragraph is head:
                    break
                if paragraph.kind in _THINKING:
                    paragraph.folds = True
                    words += paragraph.text.count(" ") + 1 if paragraph.text else 0
            head.right = f"{words:,} words  {head.right}"
            if self.buffer.folded:
                self.buffer.fold(True)
        self._speaker, self._code = ("", None), False

    # --- paragraphs --------------------------------------------------------------------------------------------

    def _verdict(self, event: e.Event, body: e.ExperimentJudged, now: str) -> None:
        effect = sigmas(body.effect, body.noise)
        words = body.verdict.word + (f" {effect}" if effect else "")
        found = self.study.experiments.get(-1 if event.experiment is None else event.experiment)
        value = uncounted(found, self.study.contract) if found is not None and found.verdict == body.verdict else None
        told = "" if value is None else f"; {self.study.contract.metric} {number(value)} is not counted"
        self._line(body.verdict, f"{event.experiment} {words}: {body.reason}{told}", "\0 ", now)

    def _line(self, kind: str, text: str, lead: str, right: str = "") -> None:
        self._end_line()
        self._blank = False
        self._add(Paragraph(kind, clean(text).replace("\n", " ")[: 2 * _PIECE], lead, right))

    def _gap(self) -> None:
        self._end_line()
        if self.buffer.paragraphs and self.buffer.paragraphs[-1].kind != "gap":
            self._add(Paragraph("gap", ""))

    def _add(self, paragraph: Paragraph) -> None:
        paragraph.seq, paragraph.who = self._seq, self._who
        if self._table and not paragraph.text.lstrip().startswith("|"):
            self._table = []
        self.buffer.add(paragraph)


def paragraphs_of(events: Iterable[e.Event], study: Study, width: int, folded: bool) -> list[Paragraph]:
    """Events of the past as paragraphs of their own, to be put before those that are there."""
    buffer = TextBuffer(most=1 << 60, width=width)
    buffer.folded = folded
    transcript = Transcript(study, buffer)
    for event in events:
        transcript.tell(event)
    transcript.release()
    transcript.finish()
    return list(buffer.paragraphs)
