"""What an agent is told when its session goes on: that nobody answers its question, or that its experiment failed."""

from collections.abc import Sequence

from loop.researchers.briefing.excerpt import one_line
from loop.researchers.briefing.instructions import COMMAND_END
from loop.researchers.briefing.result import repair
from loop.study.experiment import Experiment

_NOBODY = """\
You asked: {question}
Nobody is there to answer, now or later. Decide by yourself, take what you think is best, make the change in the files
and end. Ask nothing more."""

_HERE = "Your working directory holds the champion with your edit of then. Where you give it up, make another change."
_MOVED = "Your working directory holds today's champion, which is another one than then; your edit is not in it."


def answered(question: str, briefing: str) -> str:
    """That nobody answers.

    Args:
        briefing: for an agent that cannot resume its session; empty for one that has read it.
    """
    told = _NOBODY.format(question=one_line(question, 400))
    return f"{briefing}\n\n# Your question\n{told}" if briefing else f"{told}\n\n{COMMAND_END}"


def again(experiment: Experiment, log: str, left: int, moved: bool, words: Sequence[str]) -> str:
    """That the experiment of this session came to nothing, and why.

    Args:
        left: how many repairs are still allowed, including this one.
        moved: the champion is another one than the one that the experiment changed.
        words: what the person said meanwhile.
    """
    told = [f"The person says: {one_line(said, 2000)}" for said in words]
    return "\n\n".join((repair(experiment, log, left), _MOVED if moved else _HERE, *told, COMMAND_END))
