"""Commits that are no experiments: champions with some kept changes left out, for an ablation. Nothing moves for them.

One ref holds all of them, so that no gc takes them, and fetching the study's refs brings them along. They are made one
on top of the other: the same rows give the same commits, so a supervisor that died may simply make them again.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from loop.lineage.git import data

if TYPE_CHECKING:
    from loop.lineage.lineage import Lineage


def commit_rows(
    lineage: "Lineage", champion: str, rows: Sequence[Mapping[str, str]], name: str, at: float
) -> list[str]:
    """Commit the rows of an ablation on top of the champion; blocks.

    Args:
        champion: its commit.
        rows: text of the editable files of each, by path; a file that it does not have is taken away.
        name: what it is, for the messages.
        at: the commits' date, in seconds since the epoch.

    Returns:
        The commit of each row.

    Raises:
        LineageError: git could not write.
    """
    git = lineage.git
    author, email = git.identity
    paths = sorted({path for row in rows for path in row})
    modes = lineage.modes(champion, frozenset(paths))
    digest = hashlib.sha256(repr((champion, name, [sorted(row.items()) for row in rows])).encode()).hexdigest()[:12]
    ref = f"refs/looptop/{lineage.tag}/ablation/{digest}"
    who = f"{author} <{email}> {int(at)} +0000"
    stream, before = [b"feature done\n"], champion
    for mark, row in enumerate(rows, 1):
        text = f"{lineage.tag}: {name}, row {mark} of {len(rows)}\n".encode()
        stream += [f"commit {ref}\nmark :{mark}\nauthor {who}\ncommitter {who}\n".encode(), data(text)]
        stream.append(f"from {before}\n".encode())
        before = f":{mark}"
        for path in paths:
            quoted = '"' + git.inside(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
            if path in row:
                stream += [f"M {modes.get(path, '100644')} inline {quoted}\n".encode(), data(row[path].encode())]
            else:
                stream.append(f"D {quoted}\n".encode())
    stream += [f"get-mark :{mark}\n".encode() for mark in range(1, len(rows) + 1)]
    answer = git.fast_import([*stream, b"done\n"])
    if answer.status != 0:
        raise git.failed(("fast-import",), answer)
    return answer.out.decode().split()
