"""The keys that only look: views, moving, searching, folding, opening, colours. None asks the loop for anything."""

from textual.color import Color

from loop.words import listed
from tui.cockpit.shell import Shell
from tui.model import filters
from tui.render.layout import ASIDE, VIEWS
from tui.render.palette import PALETTES
from tui.render.text import cut
from tui.screens.columns import ColumnChoice
from tui.screens.compare import MOST, CompareSheet
from tui.screens.experiment import ExperimentSheet
from tui.screens.help import Help
from tui.screens.program import ProgramSheet
from tui.screens.sheet import Sheet, SheetScreen
from tui.widgets.experiments import ExperimentsPanel
from tui.widgets.panel import Panel
from tui.widgets.prompt import Completion, Prompt
from tui.widgets.researchers import ResearchersPanel
from tui.widgets.runs import RunsPanel
from tui.widgets.stream import StreamPanel


class NavigateActions(Shell, inherit_bindings=False):
    """Actions of the keys that only look."""

    _mouse = False
    _filtered: tuple[str, ...] = ()
    """Filters that were typed here before."""

    def action_view(self, view: str) -> None:
        self.leave_sheets()
        self.active = view
        self.kept_aside = view if view in ASIDE else self.kept_aside
        self.screen.set_focus(self.panel)
        self.rearrange()
        self.call_after_refresh(self.shown)

    def action_step(self, direction: int) -> None:
        shown = [view for view in VIEWS if self.panels[view].boxed and self.panels[view].is_on_screen]
        order = shown if not self.single() else list(VIEWS)
        at = order.index(self.active) if self.active in order else 0
        self.action_view(order[(at + direction) % len(order)])

    def leave_sheets(self) -> None:
        """Close whatever lies over the views."""
        while isinstance(self.screen, SheetScreen):
            self.pop_screen()

    def action_zoom(self) -> None:
        self.zoomed = not self.zoomed
        self.action_view(self.active)

    def _target(self) -> Panel:
        return self.sheet or self.panel

    def action_move(self, rows: int) -> None:
        self._target().move(rows)

    def action_page(self, pages: int) -> None:
        self._target().page(pages)

    def action_edge(self, direction: int) -> None:
        self._target().edge(direction)

    def action_follow(self) -> None:
        if isinstance(self.panel, StreamPanel):
            self.panel.follow()

    def action_fold(self) -> None:
        if self.active == "experiments":
            folded = self.experiments_view.fold()
            self.say(
                "runs of experiments that came to nothing are " + ("folded; enter opens one" if folded else "open")
            )
        elif self.active == "mind":
            folded = self.mind_view.fold()
            self.say("finished thoughts are " + ("folded to a line each" if folded else "open"))
        else:
            self.say(f"nothing folds in this view; {self.named('mind')} and {self.named('experiments')} do")

    def action_who(self) -> None:
        """Let the mind show one researcher after the other, and then all again."""
        names = ["", *(mind.name for mind in self.known.minds)]
        if len(names) < 3:
            self.say("there is only one researcher" if len(names) == 2 else "no researcher has joined yet")
            return
        now = self.known.mind.only
        self.show_mind_of(names[(names.index(now) + 1 if now in names else 0) % len(names)])

    def show_mind_of(self, name: str) -> None:
        """Let the mind show one researcher, or all of them for ""."""
        self.mind_view.show_only(name)
        self.say(f"the mind shows {name} alone" if name else "the mind shows all researchers")

    def action_sort(self) -> None:
        if self.active != "experiments":
            self.say(f"only {self.named('experiments')} can be sorted")
            return
        self.say(f"sorted {self.experiments_view.sort()}")

    def action_compare(self) -> None:
        """Set the marked experiments side by side; of fewer than two the one under the cursor is another."""
        study = self.known.study
        marked = [number for number in self.known.marked if number in study.experiments]
        chosen = self.chosen()
        if len(marked) < 2 and chosen is not None and chosen.id not in marked:
            marked.append(chosen.id)
        if len(marked) == 1:
            over = study.experiments[marked[0]].champion
            marked = [study.champion if over is None else over, *marked] if study.champion is not None else marked
        marked = list(dict.fromkeys(marked))
        if len(marked) < 2:
            self.say(f"mark two experiments first: M in {self.named('experiments')} marks the one under the cursor")
        else:
            self.compare(marked)

    def compare(self, numbers: list[int]) -> None:
        """Open the screen on which these experiments stand side by side."""
        self.hush()
        if len(numbers) > MOST:
            self.say(f"{MOST} experiments at once: the first of those that are marked", "warn")
        self.push_screen(SheetScreen(CompareSheet(numbers)))
        self.load_samples()

    def action_metric(self) -> None:
        name = self.curves_view.draw()
        names = self.curves_view.names()
        self.say(f"draws {name}; {listed(names, 8)} are reported" if name else "the run reports no other value")

    def action_stretch(self) -> None:
        self.say(f"shows {self.progress_view.scale()}")

    def action_columns(self) -> None:
        if self.active == "experiments":
            table = self.experiments_view
            self.push_screen(ColumnChoice(table), lambda _: self.keep_columns(table.wanted))
        else:
            self.say(f"columns are of {self.named('experiments')}")

    def action_mark(self) -> None:
        """Mark the experiment that a person is looking at, or take its mark off."""
        chosen = self.chosen()
        if chosen is None:
            self.say(
                "put the cursor on an experiment first"
                + (": enter opens a fold" if self.active == "experiments" else "")
            )
            return
        marked = self.known.marked
        if chosen.id in marked:
            del marked[chosen.id]
        else:
            marked[chosen.id] = None
        others = f"; marked are {listed([str(one) for one in marked])}" if marked else "; none is marked now"
        self.say(f"{chosen.id} is {'marked' if chosen.id in marked else 'not marked any more'}{others}")
        self.load_samples()
        for view in ("experiments", "curves"):
            self.panels[view].redraw_with_note()

    def action_scale(self) -> None:
        if self.active == "progress":
            self.say(f"shows {self.progress_view.scale()}")
            return
        if not self.panels["curves"].is_on_screen:
            self.say(f"the scale is of {self.named('curves')} and {self.named('progress')}")
            return
        self.curves_view.logarithmic = not self.curves_view.logarithmic
        self.curves_view.redraw_with_note()
        self.say("logarithmic scale" if self.curves_view.logarithmic else "linear scale")

    def action_search(self, text: str = "") -> None:
        """Look for `text`; has a person type it where it is empty."""
        target = self._target()
        if not isinstance(target, (StreamPanel, ExperimentsPanel, Sheet)):
            self.say("nothing to search in this view; mind, experiments and log can be searched")
            return

        if isinstance(target, ExperimentsPanel):
            self._filter(target, text)
            return

        def find(text: str) -> None:
            if not target.search(text):
                self.say(f"nothing has “{cut(text, 30)}”", "warn")

        if text:
            find(text)
        else:
            self.ask(Prompt("find", "a text, then enter", find))

    def _filter(self, table: ExperimentsPanel, text: str) -> None:
        """Show only what fits a filter; has a person type it where it is empty, and shows what fits while they do."""
        seen = self.known.seen

        def keep(text: str) -> None:
            if wrong := table.filter(text):
                self.say(wrong, "warn")
            elif text:
                self._filtered = (*(one for one in self._filtered if one != text), text)[-50:]

        def live(text: str) -> None:
            table.filter(text)  # half a term is no mistake yet: the hint says what is missing

        if text:
            keep(text)
            return
        complete = Completion(lambda text: filters.candidates(text, seen), lambda text: filters.hint(text, seen))
        self.ask(Prompt("filter", filters.HINT, keep, self._filtered, live=live, complete=complete, draft=table.needle))

    def action_again(self, direction: int) -> None:
        target = self._target()
        if isinstance(target, ExperimentsPanel) and target.needle:
            target.move(direction)  # only what has the text is there
        elif not isinstance(target, (StreamPanel, Sheet)) or not target.needle:
            self.say("search for something first: /")
        elif not target.search(target.needle, direction):
            self.say(f"nothing has “{cut(target.needle, 30)}”", "warn")

    def action_newer(self, direction: int) -> None:
        """The next newer experiment, or older one, on the screen of one."""
        if isinstance(self.sheet, ExperimentSheet):
            self.sheet.go(direction)

    def action_select(self) -> None:
        if isinstance(self.panel, StreamPanel):
            selecting = self.panel.select()
            self.say("j and k take in more lines, y copies them, esc lets go" if selecting else "nothing selected")
        else:
            self.say(f"lines can be selected in {self.named('mind')} and {self.named('log')}")

    # --- opening and closing -----------------------------------------------------------------------------------

    def action_help(self) -> None:
        self._open(Help)

    def action_program(self) -> None:
        self._open(ProgramSheet)

    def _open(self, kind: type[Sheet]) -> None:
        """Open a sheet, unless it is the one on screen."""
        if not isinstance(self.sheet, kind):
            self.hush()
            self.push_screen(SheetScreen(kind()))

    def action_open(self) -> None:
        if self.active == "experiments" and self.experiments_view.open_fold():
            return
        current = self.known.in_flight()
        if self.active == "researchers" and (name := self.researchers_view.chosen()) is not None:
            self.action_view("mind")
            self.show_mind_of(name)
            return
        found = self.chosen()
        chosen = (
            found.id if found is not None else self.experiments_view.selected() if current is None else current[0].id
        )
        if chosen is None:
            self.say("no experiment yet")
        else:
            self.open_experiment(chosen)

    async def action_back(self) -> None:
        if self.prompt is not None:
            await self.close_prompt()
        elif self.sheet is not None:
            self.pop_screen()
            self.shown()
        elif isinstance(self.panel, StreamPanel) and self.panel.began is not None:
            self.panel.let_go()
        elif isinstance(self.panel, (ExperimentsPanel, StreamPanel)) and self.panel.needle:
            self.panel.search("")
        elif isinstance(self.panel, (RunsPanel, ResearchersPanel)) and self.panel.at is not None:
            self.panel.let_go()
        elif self.zoomed:
            self.action_zoom()
        else:
            self.hush()

    def action_redraw(self) -> None:
        self.refresh(repaint=True, layout=True)
        self.say("drawn anew")

    def action_suspend(self) -> None:
        if self.is_web or self._driver is None or not self._driver.can_suspend:
            self.say("this terminal cannot be lent to the shell")
        else:
            self.action_suspend_process()

    def look_at(self, view: str) -> None:
        """Go to a view, as by its key."""
        self.action_view(view)

    def action_detach(self) -> None:
        self.exit()

    # --- how it looks ------------------------------------------------------------------------------------------

    def action_mouse(self) -> None:
        self._mouse = not self._mouse
        switch = getattr(self._driver, "switch_mouse", None)
        if switch is not None:
            switch(self._mouse)
        self.say(
            "mouse on: a click goes to a view and its row, the wheel scrolls"
            if self._mouse
            else "mouse off: your terminal selects and copies as usual"
        )

    def action_theme(self) -> None:
        names = list(PALETTES)
        self.become(names[(names.index(self.palette.name) + 1) % len(names)])

    def become(self, theme: str) -> None:
        self.palette = PALETTES[theme]
        self.ansi_color = self.palette.native
        self.refresh_css()
        for screen in self.screen_stack:
            screen.styles.background = Color.parse(self.palette.background or "ansi_default")
        for widget in (*self.panels.values(), self.top_bar, self.bottom_bar):
            widget.repaint()
        if self.sheet is not None:
            self.sheet.repaint()
        self.say(f"colours: {'none' if theme == 'mono' else theme}")
