"""What a researcher is told when it is asked for a proposal, taken from the study as it is now. Changes nothing."""

from collections.abc import Mapping, Sequence

from loop.pipeline.archive import StudyArchive
from loop.policy import ablation, honesty, ladder, limits
from loop.policy.standing import alike, noise
from loop.researchers.protocol import Briefing, Workshop
from loop.study.events import GaugeRead
from loop.study.state import Study


def briefing_of(
    study: Study,
    now: float,
    number: int,
    *,
    files: Mapping[str, str],
    archive: StudyArchive,
    workshop: Workshop,
    words: Sequence[str] = (),
    gauge: GaugeRead | None = None,
) -> Briefing:
    """The briefing for experiment `number`, in a study that has a champion.

    Args:
        now: Unix seconds, comparable with the study's own times.
        files: the champion's editable files, text by path.
        words: of the person, since the last proposal.
        gauge: the newest reading of the machine.
    """
    assert study.best is not None
    measuring, imported = archive.measuring()
    return Briefing(
        contract=study.contract,
        program=study.program,
        champion=study.best,
        files=files,
        experiments=tuple(study.experiments.values()),
        noise=noise(study),
        notebook=tuple(study.minds.notebook),
        words=words,
        next_id=number,
        archive=archive,
        workshop=workshop,
        pins=tuple(study.pins.values()),
        left=tuple(limits.limits(study, now)),
        gauge=gauge,
        sample=archive.sample(),
        measuring=measuring,
        imported=imported,
        ideas=dict(study.ideas),
        vitals=archive.vitals(study.best),
        curve=archive.curve(study.best),
        notices=tuple(honesty.notices(study)),
        alike=alike(study) if study.paired else None,
        floor=honesty.floor(study),
        worths=ablation.for_researchers(study),
        ladder=tuple(ladder.briefed(study)),
        slots=study.supervisor.records if study.supervisor is not None else (),
        thoughts=tuple(thought for thought in study.minds.thoughts.values() if thought.number != number),
    )
