"""The main screen. Where its widgets stand is decided by `tui.render.layout` alone."""

from collections.abc import Iterable

from textual.geometry import NULL_OFFSET, Region, Size, Spacing
from textual.layout import Layout, WidgetPlacement
from textual.screen import Screen
from textual.widget import Widget

from tui.render.layout import layout
from tui.widgets.bars import BottomBar, TopBar
from tui.widgets.context import Context
from tui.widgets.panel import Panel
from tui.widgets.prompt import Prompt


class Placed(Layout):
    """Puts the widgets where `layout` says."""

    name = "placed"

    def __init__(self, context: Context) -> None:
        self._context = context

    def arrange(self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True) -> list[WidgetPlacement]:
        cockpit = self._context
        width, height = size
        plan = layout(width, height, cockpit.active, zoomed=cockpit.zoomed, aside=cockpit.aside, needs=cockpit.needs())
        places = {place.view: place for place in plan.places}
        found: list[WidgetPlacement] = []

        def put(child: Widget, x: int, y: int, wide: int, high: int, over: int = 0) -> None:
            found.append(WidgetPlacement(Region(x, y, wide, high), NULL_OFFSET, Spacing(), child, over))

        for child in children:
            if isinstance(child, TopBar):
                child.tabs, child.alone = not plan.tiny, not plan.keys
                put(child, 0, 0, width, plan.status)
            elif isinstance(child, Panel) and (place := places.get(child.view)):
                child.boxed, child.headed = place.boxed, place.headed
                put(child, place.x, place.y, place.width, place.height)
            elif isinstance(child, (BottomBar, Prompt)) and plan.keys:  # over the views, as high as they have grown
                rows = min(child.rows(width), height - plan.status)
                put(child, 0, height - rows, width, rows, 1 + isinstance(child, Prompt))
        return found


class MainScreen(Screen[None], inherit_bindings=False):
    """The screen with all views."""

    AUTO_FOCUS = None

    def __init__(self, context: Context, widgets: Iterable[Widget]) -> None:
        super().__init__()
        self._placed, self._widgets = Placed(context), list(widgets)

    @property
    def layout(self) -> Layout:
        return self._placed

    def compose(self) -> Iterable[Widget]:
        yield from self._widgets

    def arrange_again(self) -> None:
        self._arrangement_cache.clear()
        self.refresh(layout=True)
