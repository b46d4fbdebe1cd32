"""The loop without a screen: every event as a plain line, as it happens."""

from pathlib import Path

from loop.journal import Journal
from loop.study.state import FOLDED, Study, fold
from tui.cli import event_lines, status_text


async def print_events(path: Path) -> None:
    """Print what is appended to the journal at `path` from now on, until the supervisor has stopped."""
    with Journal(path) as journal:
        study: Study = fold(journal.read(kinds=FOLDED))
        async for events in journal.follow(study.seq):
            for event in events:
                study.apply(event)
                line = event_lines.line(event, study)
                if line is not None:
                    print(line, flush=True)
                if event.kind == "supervisor_stopped":
                    print("\n".join(status_text.summary(study)), flush=True)
                    return
