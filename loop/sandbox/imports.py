"""Where Python would import the project from the checkout, it imports from the experiment's worktree.

`pip install -e` and its like leave the checkout's path in the environment: in a `.pth` file, or in a finder that maps
packages to folders. bubblewrap shows the worktree in the checkout's place, so there is nothing to do. Elsewhere each
Python of a run begins with the module below, as its `sitecustomize`, which comes after both. It changes where they
lead, in their order, and nothing else; another `sitecustomize` is imported after it.
"""

from pathlib import Path

_MODULE = """\
import os
import sys

TOP, TREE, HERE = {top!r}, {tree!r}, os.path.dirname(os.path.abspath(__file__))


def moved(path):
    if not isinstance(path, str) or not path.startswith(os.sep):
        return path
    real = os.path.realpath(path) + os.sep
    if not real.startswith(TOP + os.sep) or (path + os.sep).startswith(sys.prefix + os.sep):
        return path
    kept = (os.path.dirname(os.path.dirname(TREE)) + os.sep, os.path.realpath(sys.prefix) + os.sep)
    return path if real.startswith(kept) else (TREE + real[len(TOP):]).rstrip(os.sep)


def redirect(places):
    for name, place in list(places.items()):
        if isinstance(place, str):
            places[name] = moved(place)
        elif isinstance(place, list):
            place[:] = map(moved, place)


sys.path[:] = [moved(path) for path in sys.path if os.path.abspath(path) != HERE]
for finder in list(sys.meta_path):
    holder = sys.modules.get(getattr(finder, "__module__", None) or type(finder).__module__)
    if getattr(holder, "__file__", None):
        for places in [*vars(holder).values(), *getattr(finder, "__dict__", {{}}).values()]:
            if isinstance(places, dict):
                redirect(places)

ours = sys.modules.pop(__name__)
try:
    import sitecustomize
except ImportError:
    sys.modules[__name__] = ours
"""


def write(folder: Path, top: Path, tree: Path) -> None:
    """Write the module into `folder`, which is then to be on PYTHONPATH.

    Args:
        top: the checkout's.
        tree: the worktree's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(_MODULE.format(top=str(top.resolve()), tree=str(tree.resolve())))
