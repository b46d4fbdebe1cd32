"""A person's own edit, taken from their checkout as it stands: what `submit` hands to the loop.

Only looks. The checkout, its index and its branch are not touched.
"""

from loop import events as e
from loop.lineage import Lineage, LineageError
from loop.study import Study


def look(lineage: Lineage, study: Study) -> e.Submitted | str:
    """The wish that submits the person's working copy, without who and title; a sentence where there is none to submit.

    The editable files are compared with the experiment whose commit the checkout stands on, else with the baseline.
    """
    files = ", ".join(study.contract.edit)
    baseline = study.baseline
    if baseline is None or baseline.commit is None:
        return f"there is no baseline yet that an edit of {files} could be compared with; start the loop first"
    try:
        head = lineage.head()
        parent = next((x for x in study.experiments.values() if x.commit == head), baseline)
        assert parent.commit is not None
        edits: dict[str, str] = {}
        copy = lineage.working_copy(study.contract.edit)
        for path in study.contract.edit:
            before = lineage.read(parent.commit, path)
            if path not in copy:
                if before is not None:
                    return f"{path} is not in your checkout; put it back: git checkout {parent.commit[:10]} -- {path}"
            elif copy[path] != before:
                edits[path] = copy[path].decode("utf-8")
    except LineageError as error:
        return str(error)
    except UnicodeDecodeError:
        return f"{path} is no UTF-8 text, so it cannot be submitted"
    if not edits:
        return f"{files} in your checkout is as in experiment {parent.id}; edit it first"
    return e.Submitted(title="", parent=parent.id, edits=edits)
