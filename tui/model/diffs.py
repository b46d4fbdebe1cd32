"""How the files of two commits differ, for the screens: read from git, and never the end of a screen."""

from pathlib import Path


def diff_between(root: Path, tag: str, commits: tuple[str, str]) -> str:
    """A unified diff from the first commit to the second; a sentence after a `#` where git cannot tell.

    Args:
        root: the workspace's folder.
        tag: of the study.
    """
    from loop.lineage import Lineage

    try:
        return Lineage(root, tag).commits.diff(*commits)
    except Exception as error:  # whatever fails in git is a sentence on the screen, and not the end of it
        return f"# the diff cannot be shown: {next(iter(str(error).splitlines()), type(error).__name__)}"
