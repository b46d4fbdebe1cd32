"""The report as a text: HTML for a browser, Markdown for a pull request. The layout is in the templates.

Titles, reasons and diffs are strangers' text: in HTML all of it is escaped (Jinja's autoescape, which is why it is
Jinja and no string formatting of ours), and control characters are taken out of both.
"""

from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from loop.reporting.cost import Books
from loop.reporting.page.accounts import book_rows
from loop.reporting.page.chart import Chart, chart
from loop.reporting.page.facts import Report
from loop.reporting.page.values import Value
from loop.sanitize import plain

_SIGNS = str.maketrans({char: f"\\{char}" for char in "\\`*_[]<>|#~$"})


def as_html(report: Report, found: Books) -> str:
    """One file that needs nothing else: no network, no script, no other file."""
    return _render("report.html.j2", report, found, _environment(True))


def as_markdown(report: Report, found: Books) -> str:
    """The same for a pull request: what was kept, what it is worth and what it cost; long lists fold away."""
    return _render("report.md.j2", report, found, _environment(False))


def _render(name: str, report: Report, found: Books, environment: Environment) -> str:
    from loop import VERSION

    drawn: Chart | None = chart(report)
    text = environment.get_template(name).render(
        r=report, c=book_rows(found), chart=drawn, now_version=VERSION, seen=_Seen({x.id for x in report.kept})
    )
    return text.rstrip() + "\n"


class _Seen:
    """Which experiments have their place on the page already: a link leads to one place."""

    def __init__(self, ids: set[int]) -> None:
        self.ids = ids


@cache
def _environment(html: bool) -> Environment:
    made = Environment(
        loader=PackageLoader("loop.reporting.page", "templates"),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_safe,
    )
    made.filters["n"] = _data if html else _text
    made.filters["said"] = _said if html else _written
    made.filters["moment"] = partial(_moment, html)
    made.filters["prose"] = _prose if html else _as_is
    made.filters["fence"] = _fence
    made.filters["html"] = lambda text: str(escape(" ".join(plain(str(text)).split())))
    made.filters["lines"] = lambda diff: "\n".join(line for what, line in diff if what != "file")
    return made


def _safe(found: Any) -> Any:
    """Whatever is written, without control characters; numbers and what is HTML already stay as they are."""
    return plain(found, tab="    ") if isinstance(found, str) and not isinstance(found, Markup) else found


def _data(value: Value | None) -> Markup | str:
    """A number in HTML: an element that says what it is."""
    if value is None:
        return ""
    return Markup('<data value="{}" data-of="{}">{}</data>').format(repr(value.value), value.of, value.text)


def _text(value: Value | None) -> str:
    return "" if value is None else value.text


def _said(text: Any) -> Markup:
    """A stranger's words in HTML."""
    return Markup('<span class="said">{}</span>').format(plain(str(text)))


def _prose(text: Any) -> Markup:
    """A paragraph of the program in HTML; what stands in backquotes is code."""
    parts = plain(str(text)).split("`")
    whole = len(parts) % 2 == 1
    shown = (
        Markup("<code>{}</code>").format(part) if n % 2 and whole else escape(part) for n, part in enumerate(parts)
    )
    return Markup('<span class="said">{}</span>').format(Markup("" if whole else "`").join(shown))


def _as_is(text: Any) -> str:
    """A paragraph of the program in Markdown, which it is already; no element of HTML begins in it."""
    return " ".join(plain(str(text)).split()).replace("<", "\\<")


def _written(text: Any) -> str:
    """A stranger's words in one line of Markdown, without effect on its layout; it calls nobody by name."""
    return " ".join(plain(str(text)).split()).translate(_SIGNS).replace("@", "@<!-- -->")


def _moment(html: bool, at: float) -> Markup | str:
    when = datetime.fromtimestamp(at, UTC)
    words = f"{when:%Y-%m-%d %H:%M} UTC"
    return Markup('<time datetime="{}">{}</time>').format(when.isoformat(timespec="seconds"), words) if html else words


def _fence(text: str) -> str:
    """A run of backquotes that is longer than any in `text`, and at least three."""
    longest = max((len(run) for run in "".join(c if c == "`" else " " for c in text).split()), default=0)
    return "`" * max(3, longest + 1)
