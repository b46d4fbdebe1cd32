"""The metric in a file that a run has written: JSON, CSV, a log, whatever it prints elsewhere. Pure."""

from dataclasses import replace

from loop.runs.reading import documents, lines
from loop.runs.reading.numbers import of_text
from loop.runs.reading.search import Answers, Search
from loop.runs.reading.wanted import Wanted
from loop.sanitize import plain
from loop.study.measure import MetricSource, Printed

LINE_CHARS = 16 * 1024


def read(content: bytes, wanted: Wanted) -> Answers:
    """What a file has of what is asked for, by the same rules as an output.

    Args:
        content: all of the file.
        wanted: what is looked for; its `source.file` is the name for what is said of the file.
    """
    text = content.decode("utf-8-sig", "replace")
    here = wanted.source.model_copy(update={"file": None})
    search = Search(replace(wanted, source=here), place=str(wanted.source.file))
    number = of_text(text.strip()[:80])
    if number is not None and here == MetricSource(take=here.take):  # a file that has nothing but the number
        return Answers({wanted.metric: number.value}, printed=Printed(unit=number.unit, comma=number.comma))
    document = None if here.pattern is not None else documents.whole(text)
    if document is not None:
        search.take_document(document)
        return search.answers("", documents.numbers(document))
    for row in text.splitlines():
        line = plain(row[:LINE_CHARS], tab="\t")
        search.take(line, lines.header(line))
    return search.answers(text[-LINE_CHARS:], {})
