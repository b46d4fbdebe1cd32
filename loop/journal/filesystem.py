"""Whether a file lies on a network file system, as far as the mount table tells. Reads that table only."""

import re
from collections.abc import Iterable
from pathlib import Path, PurePath

_REMOTE = re.compile(
    "9p|acfs|afpfs|afs|beegfs|ceph|cifs|coda|davfs|gfs2?|glusterfs|gpfs|lustre|ncpfs|nfs[34]?|ocfs2|orangefs|panfs"
    "|prl_fs|pvfs2|smb[23]?|smbfs|vboxsf|virtiofs|vmhgfs|webdav|wekafs"
)
"""Served over a network or by the host of a virtual machine: no memory is shared with who else has them mounted."""

_LOCAL_FUSE = re.compile(
    "bindfs|cryfs|encfs|exfat|ext[234]|fuse-overlayfs|gocryptfs|lxcfs|mergerfs|ntfs(-3g)?|securefs|unionfs"
)
"""FUSE file systems that keep what they are given on a disk of this machine."""


def kind_at(path: PurePath, mounts: Iterable[tuple[str, str]]) -> str:
    """Kind of the file system that holds `path`.

    Args:
        path: absolute, without links.
        mounts: mount point and kind of each, in the table's order: a later one hides an earlier one at the same place.
    """
    best, kind = -1, ""
    for point, found in mounts:
        place = PurePath(point)
        if path.is_relative_to(place) and len(place.parts) >= best:
            best, kind = len(place.parts), found
    return kind


def is_remote(kind: str) -> bool:
    """Whether files of this kind of file system may be changed by another machine.

    A FUSE file system that is not known may be anything (sshfs, s3fs, rclone, juicefs); the rollback journal is right
    on all of them. Overlays are layers on a disk of this machine.
    """
    kind = kind.lower()
    family, _, named = kind.partition(".")
    if family in ("fuse", "macfuse", "osxfuse"):
        return _LOCAL_FUSE.fullmatch(named) is None
    return _REMOTE.fullmatch(kind) is not None


def lies_remote(path: Path) -> bool:
    """Whether `path` lies on a network file system; False where there is no mount table to read."""
    import psutil  # about 10 ms, for whoever makes a journal; most only open one

    try:
        parts = psutil.disk_partitions(all=True)
        return is_remote(kind_at(path.resolve(), ((part.mountpoint, part.fstype) for part in parts)))
    except OSError:
        return False
