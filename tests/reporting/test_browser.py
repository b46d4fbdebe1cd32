"""The report in a real browser: it opens without an error, shows its numbers, and prints. Slow, so `soak`."""

import shutil
import subprocess
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.reporting import cost, page
from loop.study.folding import FOLDED, fold
from tests.recorded import record
from tests.reporting.page import Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def browse(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Open a page in headless Chromium; the sandbox is left out, since tests run as root in containers."""
    assert CHROMIUM is not None
    own = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={path.parent / 'profile'}"]
    command = [CHROMIUM, *own, *options, path.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=True)


@pytest.mark.soak
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_shows_it_and_prints_it(tmp_path: Path) -> None:
    record(tmp_path / "journal.db", experiments=30, gpus=2)
    with Journal(tmp_path / "journal.db") as journal:
        study = fold(journal.read(kinds=FOLDED))
        books = cost.books(study, journal.read(kinds=cost.KINDS))
    text = page.as_html(page.gather(study, books, lambda x: "@@ -1 +1 @@\n-A = 1\n+A = 2\n"), books)
    path = tmp_path / "report.html"
    path.write_text(text, encoding="utf-8")
    shown = browse(path, "--enable-logging=stderr", "--log-level=0", "--dump-dom")
    assert Page(shown.stdout).numbers == Page(text).numbers
    assert "CONSOLE" not in shown.stderr and "net::ERR" not in shown.stderr, shown.stderr
    browse(path, "--window-size=1100,1400", f"--screenshot={tmp_path / 'report.png'}")
    assert (tmp_path / "report.png").stat().st_size > 40_000, "more than an empty page"
    browse(path, "--no-pdf-header-footer", f"--print-to-pdf={tmp_path / 'report.pdf'}")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
