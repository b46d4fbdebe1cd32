"""What a run has written, on its way home: nothing of it lands outside of its folder."""

import io
import tarfile
from pathlib import Path

import pytest

from loop.errors import UserError
from loop.lineage import Lineage
from loop.lineage.packs import PackStore, has, pack
from loop.runs.cluster import parcels
from tests.repositories import git, make_repository


def test_a_folder_comes_out_as_it_went_in(tmp_path: Path) -> None:
    (tmp_path / "out" / "deep").mkdir(parents=True)
    (tmp_path / "out" / "deep" / "model.bin").write_bytes(bytes(range(256)) * 40_000)
    (tmp_path / "out" / "last").symlink_to("deep/model.bin")
    size = parcels.pack(tmp_path / "out", tmp_path / "a.tar")
    for offset in range(0, size, parcels.PIECE):
        parcels.add(tmp_path / "b.tar", offset, parcels.piece(tmp_path / "a.tar", offset))
    parcels.unpack(tmp_path / "b.tar", tmp_path / "home")
    assert (tmp_path / "home" / "last").read_bytes() == bytes(range(256)) * 40_000
    assert not (tmp_path / "b.tar").exists()


def test_an_empty_folder_does_not_travel(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert parcels.pack(tmp_path / "out", tmp_path / "a.tar") == 0


def test_a_lost_piece_is_noticed(tmp_path: Path) -> None:
    parcels.add(tmp_path / "b.tar", 0, b"x" * 10)
    with pytest.raises(UserError, match=r"a piece of .* has been lost"):
        parcels.add(tmp_path / "b.tar", 20, b"x")


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "link/escaped"])
def test_nothing_is_written_beside_the_folder(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, ".."
        tar.addfile(link)
        entry = tarfile.TarInfo(name)
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"evil"))
    with pytest.raises(UserError, match="cannot be brought here"):
        parcels.unpack(tmp_path / "evil.tar", tmp_path / "home")
    assert list((tmp_path / "home").iterdir()) == [] and not (tmp_path / "escaped").exists()


def test_a_store_gets_the_first_commit_without_its_history_and_then_what_is_new(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "project")
    (root / "large.txt").write_text("".join(f"{number * 7919 % 100_003}\n" for number in range(20_000)))
    git(root, "add", "-A")
    git(root, "commit", "-qm", "large")
    base = git(root, "rev-parse", "HEAD")
    (root / "large.txt").write_text((root / "large.txt").read_text() + "one more\n")
    git(root, "commit", "-qam", "a line")
    new = git(root, "rev-parse", "HEAD")
    source = Lineage(root, "test").git
    store = PackStore(tmp_path / "store", base)
    store.take(pack(source, base, base, ()))
    assert has(store.git, base) and not has(store.git, git(root, "rev-parse", "HEAD~2"))
    thin = pack(source, new, base, [base])
    assert len(thin) < 1000
    store.take(thin)
    assert git(store.git.root, "show", f"{new}:large.txt").endswith("one more")
    with pytest.raises(UserError, match="could not be stored"):
        store.take(thin[:-5])
    PackStore(tmp_path / "store", base).take(pack(source, new, base, [base]))  # opened again, and told again
