"""The log keeps its head and its tail, can be followed while it grows, and reads the same afterwards."""

import random
from pathlib import Path

import pytest

from loop.runs.log import (
    COMPRESSED_FROM,
    HEAD_BYTES,
    PART_BYTES,
    PARTS,
    CappedLog,
    compress_log,
    read_log,
    read_log_tail,
)


def line(number: int) -> bytes:
    return b"line %093d\n" % number  # 99 bytes: no cap falls on a line's end


def follow(folder: Path, offset: int) -> tuple[int, str, list[int]]:
    """Read on from an offset until nothing is new: where that ends, the text, and where gaps end."""
    text, gaps = "", []
    while (piece := read_log(folder, offset)).text:
        if piece.start != offset:
            gaps.append(piece.start)
        text += piece.text
        offset = piece.end
    return offset, text, gaps


def test_a_short_log_is_the_output_as_it_was(tmp_path: Path):
    with CappedLog(tmp_path) as log:
        log.write(b"one\n")
        log.write(b"two\xff\x1b[31m three")
    assert (tmp_path / "log.txt").read_bytes() == b"one\ntwo\xff\x1b[31m three"
    assert read_log(tmp_path).text == "one\ntwo\N{REPLACEMENT CHARACTER} three"
    assert log.fault is None


def test_a_flood_keeps_its_beginning_and_its_end_and_says_what_is_missing(tmp_path: Path):
    whole = b"".join(line(number) for number in range(120_000))  # 12 MB
    with CappedLog(tmp_path) as log:
        for start in range(0, len(whole), 10_007):
            log.write(whole[start : start + 10_007])
    kept = (tmp_path / "log.txt").read_bytes()
    head, _, rest = kept.partition(b"\n[looptop: ")
    left_out, _, tail = rest.partition(b" bytes left out here]\n")
    assert whole.startswith(head) and len(head) == HEAD_BYTES
    assert whole.endswith(tail) and len(tail) > (PARTS - 1) * PART_BYTES
    assert len(head) + int(left_out) + len(tail) == len(whole)
    assert [path.name for path in tmp_path.iterdir()] == ["log.txt"]


def test_what_is_on_disk_stays_under_the_cap_while_it_grows(tmp_path: Path):
    with CappedLog(tmp_path) as log:
        for _ in range(200):
            log.write(b"x" * 65_536)
            assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= HEAD_BYTES + PARTS * PART_BYTES


def test_following_sees_every_line_once_across_parts_and_the_end(tmp_path: Path):
    chance = random.Random(1)
    written = b"".join(line(number) for number in range(25_000))  # 2.5 MB: two parts, nothing left out
    offset, seen, at = 0, "", 0
    with CappedLog(tmp_path) as log:
        while at < len(written):
            step = chance.randrange(1, 60_000)
            log.write(written[at : at + step])
            at += step
            offset, text, gaps = follow(tmp_path, offset)
            seen += text
            assert gaps == []
    offset, text, _ = follow(tmp_path, offset)
    assert seen + text == written.decode()
    assert offset == len(written)


def test_an_offset_means_the_same_byte_before_and_after_the_end(tmp_path: Path):
    with CappedLog(tmp_path) as log:
        for number in range(80_000):  # 8 MB
            log.write(line(number))
        end = read_log_tail(tmp_path).end
        before = follow(tmp_path, 0)
        middle = read_log(tmp_path, end - 12_345).text
    assert follow(tmp_path, 0) == before
    assert read_log(tmp_path, end - 12_345).text == middle
    assert len(before[2]) == 1 and end == before[0] == 80_000 * 99


def test_a_follower_that_fell_behind_is_told_where_it_goes_on(tmp_path: Path):
    with CappedLog(tmp_path) as log:
        for number in range(80_000):
            log.write(line(number))
        piece = read_log(tmp_path, HEAD_BYTES + 5)
        assert piece.start > HEAD_BYTES + 5 and piece.text


def test_the_tail_begins_with_a_whole_line_and_reaches_the_end(tmp_path: Path):
    with CappedLog(tmp_path) as log:
        for number in range(30_000):
            log.write(line(number))
        piece = read_log_tail(tmp_path, 1000)
        assert piece.text.splitlines()[0] == line(29_990).decode().rstrip()
        assert piece.end == 30_000 * 99
        log.write(b"one more\n")
        assert read_log(tmp_path, piece.end).text == "one more\n"


def test_characters_and_control_sequences_are_not_torn_between_pieces(tmp_path: Path):
    text = "é\x1b[1;31mrot\x1b[0m \x1b]0;title\x07über\r\n" * 50
    with CappedLog(tmp_path) as log:
        log.write(text.encode())
    for size in (17, 23, 64):
        offset, seen = 0, ""
        while (piece := read_log(tmp_path, offset, size)).end > offset:
            seen += piece.text
            offset = piece.end
        assert seen == "érot über\n" * 50


def test_a_second_attempt_at_the_same_run_begins_a_new_log(tmp_path: Path):
    first = CappedLog(tmp_path)
    for number in range(40_000):
        first.write(line(number))  # and its supervisor is killed: parts stay behind
    with CappedLog(tmp_path) as second:
        second.write(b"again\n")
        assert read_log_tail(tmp_path).text == "again\n"
    assert (tmp_path / "log.txt").read_bytes() == b"again\n"


def test_no_log_yet_is_an_empty_piece(tmp_path: Path):
    assert read_log(tmp_path / "none", 5).text == "" and read_log(tmp_path / "none", 5).end == 5
    assert read_log_tail(tmp_path / "none").end == 0


def test_a_full_disk_costs_the_log_and_says_so():
    log = CappedLog(Path("/dev/full"))  # no folder can be made there
    log.write(b"lost\n")
    log.close()
    assert log.fault is not None and "/dev/full" in log.fault


@pytest.mark.parametrize("lines", [10, 1_000, 15_000, 120_000])
def test_compressed_it_reads_the_same_from_any_offset(tmp_path: Path, lines: int):
    whole = b"".join(line(number) for number in range(lines))
    with CappedLog(tmp_path) as log:
        log.write(whole)
    offsets = [0, 1, 5_000, HEAD_BYTES - 7, HEAD_BYTES, HEAD_BYTES + 100_000, len(whole) - 3_000, len(whole)]
    before = [read_log(tmp_path, offset) for offset in offsets], read_log_tail(tmp_path), follow(tmp_path, 0)
    compress_log(tmp_path)
    compress_log(tmp_path)
    kept = [path.name for path in tmp_path.iterdir()]
    assert kept == (["log.txt.gz"] if len(whole) >= COMPRESSED_FROM else ["log.txt"])
    assert ([read_log(tmp_path, offset) for offset in offsets], read_log_tail(tmp_path), follow(tmp_path, 0)) == before


def test_a_log_whose_compression_was_cut_off_is_compressed_the_next_time(tmp_path: Path):
    with CappedLog(tmp_path) as log:
        log.write(line(1) * 1_000)
    text = read_log_tail(tmp_path).text
    (tmp_path / "log.packing").write_bytes(b"half of it")
    assert read_log_tail(tmp_path).text == text
    compress_log(tmp_path)
    assert read_log_tail(tmp_path).text == text and [path.name for path in tmp_path.iterdir()] == ["log.txt.gz"]


@pytest.mark.parametrize("kept", [0, 3, 12, 500])
def test_a_compressed_log_that_the_disk_has_lost_a_part_of_reads_as_nothing(tmp_path: Path, kept: int):
    with CappedLog(tmp_path) as log:
        log.write(b"".join(line(number) for number in range(1_000)))
    compress_log(tmp_path)
    packed = tmp_path / "log.txt.gz"
    packed.write_bytes(packed.read_bytes()[:kept])
    assert (read_log(tmp_path).text, read_log_tail(tmp_path).text) == ("", "")
