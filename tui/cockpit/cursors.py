"""What a person is looking at: the view that keys go to, the experiment under its cursor, and what stands aside."""

from loop.study.experiment import Experiment
from tui.model.view_state import ViewState
from tui.render.layout import Needs
from tui.screens.experiment import ExperimentSheet
from tui.screens.sheet import Sheet
from tui.widgets.detail import DetailPanel
from tui.widgets.experiments import ExperimentsPanel
from tui.widgets.panel import Panel
from tui.widgets.researchers import ResearchersPanel
from tui.widgets.runs import RunsPanel


class Cursors:
    """The cursors of one cockpit; its app has the views that they are in."""

    known: ViewState
    active: str
    kept_aside: str
    """Which of the views that share one place was looked at last."""
    runs_view: RunsPanel
    researchers_view: ResearchersPanel
    experiments_view: ExperimentsPanel
    detail_view: DetailPanel

    @property
    def panel(self) -> Panel:
        """The view that keys go to."""
        raise NotImplementedError

    @property
    def sheet(self) -> Sheet | None:
        """The sheet that covers the views, if there is one."""
        raise NotImplementedError

    @property
    def aside(self) -> str:
        """Which of the views that share one place has it."""
        return "detail" if self.kept_aside == "mind" and self.pointing() else self.kept_aside

    def needs(self) -> Needs:
        """Lines that the runs and the researchers take."""
        return Needs(self.runs_view.needs(), self.researchers_view.needs())

    def single(self) -> bool:
        """Whether only one view is on screen."""
        return not self.panel.boxed

    def chosen(self) -> Experiment | None:
        """The experiment that a person is looking at: on its own sheet, or under a cursor of the views."""
        sheet = self.sheet
        if isinstance(sheet, ExperimentSheet):
            return sheet.found
        if self.active == "runs":
            number = self.runs_view.chosen()
        elif self.active == "detail":
            number = self.detail_view.target
        else:
            number = self.experiments_view.selected() if self.active == "experiments" else None
        return None if number is None else self.known.study.experiments[number]

    def under_cursor(self) -> int | None:
        """The experiment that a person has put a cursor on, in the runs or the experiments; of both in the one that
        keys go to, else in the runs."""
        found = [self.runs_view.chosen()]
        if self.experiments_view.pointing:
            found.append(self.experiments_view.selected())
        if self.active == "experiments":
            found.reverse()
        return next((number for number in found if number is not None), None)

    def pointed(self) -> int | None:
        """The experiment that the detail shows: under a cursor, else the current run's."""
        if (number := self.under_cursor()) is not None:
            return number
        current = self.known.in_flight()
        return current[0].id if current is not None else self.experiments_view.selected()

    def pointing(self) -> bool:
        """Whether a person has put a cursor on an experiment: keys are about that one then."""
        if self.active == "runs":
            return self.runs_view.chosen() is not None
        if self.active == "detail":
            return self.detail_view.target is not None
        return self.active == "experiments" and self.experiments_view.pointing
