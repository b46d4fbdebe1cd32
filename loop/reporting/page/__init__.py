"""The report: a study as one page to show, in HTML and in Markdown. What is on it is in `facts`, how it looks in the
templates beside it."""

from loop.reporting.page.facts import Report
from loop.reporting.page.gather import gather
from loop.reporting.page.render import as_html, as_markdown

__all__ = ["Report", "as_html", "as_markdown", "gather"]
