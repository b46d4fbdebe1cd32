"""A person's own edit in their checkout: whether there is one to offer, and what `submit` hands to the loop.

Read-only: the checkout, its index and its branch are not touched.
"""

import asyncio
import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from watchfiles import Change, awatch

from loop.journal.recorder import Recorder
from loop.lineage import Lineage, LineageError
from loop.policy import guards
from loop.researchers import patching
from loop.researchers.closing import title_of
from loop.study import events as e
from loop.study.state import Study

LOOK_MS = 5000
"""Milliseconds between two looks while nothing is saved: whether the files to watch are still the same."""


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit that can be submitted."""

    request: e.Submitted
    """Without a person's name; its title is the change's own first line."""
    added: int
    removed: int
    """Lines against the experiment that it was made on."""

    @property
    def words(self) -> str:
        """The files and the size of the change."""
        return f"{', '.join(self.request.edits)} (+{self.added} -{self.removed})"

    def called(self, title: str, who: str) -> e.Submitted:
        """The request, ready to be asked by `who`; with a title of its own where none is given."""
        name = " ".join(title.split()) or self.request.title
        return self.request.model_copy(update={"title": name, "who": who})


def look_in(root: Path, study: Study) -> Edit | str:
    """The edit in the checkout at `root`, or a sentence why there is nothing to submit."""
    try:
        return look(Lineage(root, study.tag), study)
    except LineageError as error:
        return str(error)


def look(lineage: Lineage, study: Study) -> Edit | str:
    """The edit in the person's working copy, or a sentence why there is nothing to submit.

    The editable files are compared with the experiment whose commit the checkout stands on, else with the baseline.
    """
    files = ", ".join(study.contract.edit)
    baseline = study.baseline
    if baseline is None or baseline.commit is None:
        return f"there is no baseline yet that an edit of {files} could be compared with; start the loop first"
    try:
        head = lineage.checkout.head()
        parent = next((x for x in study.experiments.values() if x.commit == head), baseline)
        assert parent.commit is not None
        before = lineage.commits.files([parent.commit], study.contract.edit)[parent.commit]
        contents = lineage.checkout.working_copy(study.contract.edit)
    except LineageError as error:
        return str(error)
    copy: dict[str, str] = {}
    for path, content in contents.items():
        try:
            copy[path] = content.decode()
        except UnicodeDecodeError:
            return f"{path} is no UTF-8 text, so it cannot be submitted"
    if missing := [path for path in before if path not in copy]:
        back = f"git checkout {parent.commit[:10]} -- {missing[0]}"
        return f"{missing[0]} is not in your checkout; put it back: {back}"
    edits = {path: text for path, text in copy.items() if before.get(path) != text}
    if not edits:
        return f"{files} in your checkout is as in experiment {parent.id}; edit it first"
    if (found := study.first_of(guards.fingerprint({**before, **edits}))) is not None:
        return f"that edit is experiment {found.id} already ({found.verdict.word if found.verdict else found.phase})"
    counts = [patching.counts(patching.diff(before.get(path, ""), text, path)) for path, text in edits.items()]
    request = e.Submitted(title=title_of(before, edits), parent=parent.id, edits=edits)
    return Edit(request, sum(added for added, _ in counts), sum(removed for _, removed in counts))


async def follow(lineage: Lineage, recorder: Recorder) -> None:
    """Record each edit of the person's that could be submitted, and when there is none any more. Never returns.

    Folders are watched, not files: editors replace a file by renaming another over it.
    """
    while True:
        edit = recorder.study.contract.edit
        await tell(lineage, recorder)
        ours = {os.fspath(lineage.root / path) for path in edit}
        folders = {Path(path).parent for path in ours if Path(path).parent.is_dir()}
        if not folders:
            await asyncio.sleep(LOOK_MS / 1000)
            continue

        def saved(_: Change, changed: str, ours: set[str] = ours) -> bool:
            return changed in ours

        async for changes in awatch(
            *folders,
            watch_filter=saved,
            recursive=False,
            debounce=200,
            step=50,
            rust_timeout=LOOK_MS,
            yield_on_timeout=True,
        ):
            if changes or recorder.study.checkout is not None:  # what is offered may have been submitted meanwhile
                await tell(lineage, recorder)
            if recorder.study.contract.edit != edit:
                break


async def tell(lineage: Lineage, recorder: Recorder) -> None:
    """Record the person's edit that could be submitted now, or that there is none any more."""
    study = recorder.study
    # The thread must not see the study grow under it.
    still = replace(
        study,
        experiments=dict(study.experiments),
        fingerprints=dict(study.fingerprints),
        clashes=set(study.clashes),
    )
    found = await recorder.disk.retry_when_space(partial(look, lineage, still))
    told = e.CheckoutChanged()
    if isinstance(found, Edit):
        request = found.request
        told = e.CheckoutChanged(
            files=tuple(request.edits), parent=request.parent, lines_added=found.added, lines_removed=found.removed
        )
    if (study.checkout or e.CheckoutChanged()) != told:
        recorder.record(told)
