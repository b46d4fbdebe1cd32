"""The one table of keys: bindings, key line and help screen are all made from it, so they cannot disagree.

A key has an id, so that a person's keymap can move it. Keys that ask the loop for something are the rows of
`request_table` that name one. Nothing is listed that does not work.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from loop.policy import request_table
from loop.policy.request_table import Row
from tui.model.commands import EXPORTS
from tui.render.layout import VIEWS
from tui.render.text import Line, Span, hung


@dataclass(frozen=True, slots=True)
class Key:
    """One key, or several with the same meaning."""

    id: str
    keys: str
    """As Textual names them, with commas between."""
    show: str
    """As a person reads it."""
    label: str
    """One word for the key line; empty keeps it off."""
    action: str
    help: str
    group: str
    request: bool = False
    """It asks the loop for something, so a read-only cockpit refuses it."""
    views: tuple[str, ...] = ()
    """Views in which it means something; empty for everywhere."""
    over: str = ""
    """Id of a key for everywhere whose place it takes in its own views, where both are on the same key."""


ON_EXPERIMENTS = ("runs", "experiments", "detail", "experiment")
"""Where a key can be about one experiment that a person has chosen: what has a cursor, and the experiment's screen."""


def _request_key(row: Row) -> Key:
    """The key of a request, which its row explains."""
    help = row.key_help or row.help.replace("experiment N", "this experiment")
    asks = " (asks first)" if row.confirm else ""
    key = Key(row.name, row.key, row.key, row.name, f"request('{row.name}')", help + asks, "loop", request=True)
    return replace(key, views=ON_EXPERIMENTS, over="before") if row.name == "note" else key


_SHOWS = {
    "runs": "what each slot does, and where it stands",
    "researchers": "what each does, who heard you",
    "experiments": "what was tried, what was kept",
    "progress": "every experiment, and the best so far",
    "curves": "the current run over the champion's",
    "mind": "the reasoning as it streams",
    "detail": "what the cursor is on, in short",
    "machine": "GPUs, processors, memory, disk",
    "log": "the run's own output",
}
"""What each view is for."""

KEYS = (
    Key("help", "question_mark", "?", "help", "help", "this help, and what the signs mean", "cockpit"),
    Key("command", "colon", ":", "", "command", "a command by name (tab completes)", "cockpit"),
    *(_request_key(row) for row in request_table.TABLE if row.key),
    Key(
        "say-to",
        "S",
        "S",
        "",
        "say_to",
        "say something to one researcher: under the cursor, else who thinks",
        "loop",
        request=True,
    ),
    *(
        Key(f"view-{name}", str(number), str(number), "", f"view('{name}')", f"{name}: {_SHOWS[name]}", "views")
        for number, name in enumerate(VIEWS, 1)
    ),
    Key("program", "P", "P", "", "program", "program.md: the contract in force, and its instructions", "views"),
    Key("digest", "d", "d", "digest", "digest", "digest: what has happened since you last looked", "views"),
    Key("studies", "L", "L", "", "studies", "studies: all of this machine; enter goes to one", "views"),
    Key("next", "tab", "tab", "", "step(1)", "next view", "views"),
    Key("previous", "shift+tab", "shift+tab", "", "step(-1)", "view before", "views"),
    Key("zoom", "z", "z", "zoom", "zoom", "this view alone, or all of them again", "views"),
    Key("fold", "c", "c", "", "fold", "fold or open: finished thoughts, fruitless experiments", "views"),
    Key(
        "sort",
        "O",
        "O",
        "",
        "sort",
        "experiments: sort by the next column, in the end by number again",
        "views",
        views=("experiments",),
    ),
    Key("who", "w", "w", "", "who", "mind: one researcher after the other, or all of them", "views"),
    Key(
        "columns",
        "C",
        "C",
        "",
        "columns",
        "experiments: choose the columns, and sort by one",
        "views",
        views=("experiments",),
    ),
    Key("mark", "M", "M", "", "mark", "mark this experiment, for = and the curves", "views", views=ON_EXPERIMENTS),
    Key(
        "scale",
        "l",
        "l",
        "",
        "scale",
        "curves: logarithmic or linear; progress: as y",
        "views",
        views=("curves", "progress"),
    ),
    Key("replay", "T", "T", "", "replay", "back in time on the same screens, and back to now", "replay"),
    Key("verdict-before", "comma", ",", "", "verdict(-1)", "to the verdict before", "replay"),
    Key("verdict-after", "full_stop", ".", "", "verdict(1)", "to the next verdict", "replay"),
    Key("wind-back", "left_square_bracket", "[", "", "wind(-1)", "back by a twentieth of all the time", "replay"),
    Key("wind-on", "right_square_bracket", "]", "", "wind(1)", "on by a twentieth", "replay"),
    Key("slower", "less_than_sign", "<", "", "speed(-1)", "slower", "replay"),
    Key("faster", "greater_than_sign", ">", "", "speed(1)", "faster; p lets it go on, or stand still", "replay"),
    Key("compare", "equals_sign", "=", "", "compare", "compare what is marked, or this with its champion", "views"),
    Key(
        "metric",
        "m",
        "m",
        "",
        "metric",
        "curves: draw the next value that the run reports",
        "views",
        views=("curves",),
        over="mouse",
    ),
    Key(
        "stretch",
        "y",
        "y",
        "",
        "stretch",
        "progress: stretch the y axis: all, the newest hundred, ±6σ",
        "views",
        views=("progress",),
        over="copy",
    ),
    Key("down", "j,down", "j ↓", "", "move(1)", "down", "moving"),
    Key("up", "k,up", "k ↑", "", "move(-1)", "up; at the top of the mind, older text comes in", "moving"),
    Key("page-down", "pagedown,space", "space", "", "page(1)", "a page down", "moving"),
    Key("page-up", "pageup,b", "b", "", "page(-1)", "a page up", "moving"),
    Key("top", "g,home", "g", "", "edge(-1)", "to the top", "moving"),
    Key("bottom", "G,end", "G", "", "edge(1)", "to the end", "moving"),
    Key("follow", "f", "f", "follow", "follow", "follow the newest again", "moving", views=("mind", "log")),
    Key(
        "search",
        "slash",
        "/",
        "search",
        "search",
        "find a text; experiments: filter, as `is:kept effect>1 dropout`",
        "moving",
    ),
    Key("again", "n", "n", "", "again(1)", "next place where the text is", "moving"),
    Key("before", "N", "N", "", "again(-1)", "place before", "moving"),
    Key("newer", "right", "→", "", "newer(1)", "experiment: the next newer one", "moving", views=("experiment",)),
    Key("older", "left", "←", "", "newer(-1)", "experiment: the next older one", "moving", views=("experiment",)),
    Key("open", "enter", "enter", "open", "open", "open the experiment", "cockpit"),
    Key("back", "escape", "esc", "", "back", "back, or close what is open", "cockpit"),
    Key(
        "select", "v", "v", "", "select", "mind, log: select lines, then y copies them", "taking", views=("mind", "log")
    ),
    Key("copy", "y", "y", "", "copy", "copy what is selected or shown, and say how", "taking"),
    Key("pager", "o", "o", "", "pager", "open the log, diff or transcript in $PAGER", "taking"),
    Key("export", "e", "e", "", "export", f"write a file: {', '.join(EXPORTS)}", "taking"),
    Key("mouse", "m", "m", "", "mouse", "mouse on or off (off leaves selecting to the terminal)", "cockpit"),
    Key("theme", "t", "t", "", "theme", "next colours: dark, light, contrast, ansi, none", "cockpit"),
    Key("redraw", "ctrl+l", "ctrl+l", "", "redraw", "draw the screen anew", "cockpit"),
    Key("suspend", "ctrl+z", "ctrl+z", "", "suspend", "leave the screen to the shell; `fg` comes back", "cockpit"),
    Key("detach", "q,ctrl+c", "q", "detach", "detach", "detach; the loop goes on", "cockpit"),
)
"""As they are without a keymap; `keymap.table` gives the keys in force."""

GROUPS = {
    "loop": "The loop",
    "views": "Views",
    "moving": "Moving",
    "replay": "Replay",
    "taking": "Taking along",
    "cockpit": "This screen",
}


def of_views(table: Sequence[Key] = KEYS) -> dict[str, str]:
    """The key that shows each view, as a person reads it; in the order of the screen."""
    by_id = {key.id: key for key in table}
    return {name: by_id[f"view-{name}"].show for name in VIEWS}


def key_line(
    width: int,
    *,
    view: str,
    read_only: bool,
    waiting: bool,
    paused: bool,
    opens: bool,
    alive: bool = True,
    edited: str = "",
    table: Sequence[Key] = KEYS,
) -> Line:
    """The keys that mean something now, in one line; the last ones give way in a narrow terminal.

    Args:
        alive: a supervisor is at work, so that it can be paused and stopped, and a run be killed.
        edited: size of the person's own edit that could be submitted; empty where there is none.
    """
    wanted = ["help", "open", "follow"]
    if not read_only:
        wanted = ["help", "steer", *(("pause", "kill", "stop") if alive else ()), "open", "follow"]
        if waiting:
            wanted[1:1] = ["approve", "reject"]
        if edited:
            wanted[1:1] = ["submit"]
    line: list[Span] = []
    used = 0
    by_id = {key.id: key for key in table}
    last = by_id["detach"]
    room = width - len(f"  {last.show} {last.label}")
    for key in (by_id[name] for name in (*wanted, "zoom", "search")):
        if (key.id == "open" and not opens) or (key.views and view not in key.views):
            continue
        label = "resume" if key.id == "pause" and paused else key.label
        if key.id == "submit":
            label = f"run your edit ({edited})"
        size = len(f" {key.show} {label} ")
        if used + size > room:
            break
        line += [(" " + key.show, "key"), (f" {label} ", "dim")]
        used += size
    return (*line, (" " + last.show, "key"), (f" {last.label}", "dim"))


def help_lines(table: Sequence[Key] = KEYS, ids: bool = False, width: int = 200) -> list[Line]:
    """The help, as lines of `width` cells: every key of the table by group.

    Args:
        ids: also the id of each, for a keymap.
    """
    lines: list[Line] = []
    for group, title in GROUPS.items():
        lines += [((title, "title"),)]
        for key in table:
            if key.group == group:
                name = ((f"{key.id:<17}", "faint"),) if ids else ()
                lines += hung(((f"  {key.show:<11}", "key"), *name), key.help, width)
        lines += [()]
    return lines
