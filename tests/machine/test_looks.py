"""Who looked when."""

import stat
from pathlib import Path

from loop.machine import looks
from loop.machine.looks import Look


def test_a_look_is_remembered_for_each_person(tmp_path: Path) -> None:
    assert looks.last(tmp_path, "ada") is None
    looks.remember(tmp_path, "ada", Look(7, 100.5))
    looks.remember(tmp_path, "../grace", Look(9, 200.0))
    assert looks.last(tmp_path, "ada") == Look(7, 100.5) and looks.last(tmp_path, "../grace") == Look(9, 200.0)
    assert sorted(path.parent.name for path in tmp_path.rglob("*") if path.is_file()) == ["looked", "looked"]


def test_a_digest_begins_where_the_visit_before_ended(tmp_path: Path) -> None:
    assert looks.before(tmp_path, "ada", 1000.0) is None
    looks.remember(tmp_path, "ada", Look(7, 1000.0))
    assert looks.before(tmp_path, "ada", 1060.0) is None, "it is the first visit still"
    assert looks.before(tmp_path, "ada", 1000.0 + looks.AWAY + 1) == Look(7, 1000.0)
    looks.remember(tmp_path, "ada", Look(9, 9000.0), since=Look(7, 1000.0))
    assert looks.before(tmp_path, "ada", 9060.0) == Look(7, 1000.0), "who comes back in a minute is told the same"


def test_what_cannot_be_written_or_read_is_no_trouble(tmp_path: Path) -> None:
    looks.remember(tmp_path / "nowhere" / "deep", "ada", Look(1, 1.0))
    (tmp_path / "looked").mkdir()
    for text in ("", "[]", '{"seq": "x", "at": 1}', "\0"):
        (tmp_path / "looked" / "ada").write_text(text)
        assert looks.last(tmp_path, "ada") is None
    (tmp_path / "looked").chmod(stat.S_IRUSR | stat.S_IXUSR)
    looks.remember(tmp_path, "ada", Look(1, 1.0))
    (tmp_path / "looked").chmod(0o755)
