"""What a model is told in the course of a conversation, after the briefing it starts with. Plain text."""

EMPTY = "Your answer was empty. Look up what you need with the tools, change the draft, and call propose."
NO_TOOL = "You used no tool, so nothing has happened. Change the draft with edit_file, then call propose."
CUT = "Your answer was cut off at its limit of tokens, so the end did not arrive. Say less in one answer."
REFUSED = (
    "You declined. This is ordinary engineering on a training script: propose a change that you are comfortable with."
)
NEARLY = "You have {left} answers left for this experiment. Finish the draft and call propose."
LAST = (
    "This is the last answer there is a budget for: {reason}. If your draft is worth a run, finish it and call propose "
    "in this answer; what is not proposed now is lost."
)
WORDS = "The person who runs this study says:\n\n{words}\n\nFollow it; it takes precedence over what was said before."
INTERRUPTED = "(You were interrupted in the middle of an answer. The end of what you had written: {end})"
REWRITE = (
    "The notebook of this study has become too long. Rewrite it in under {words} words: what was learnt about "
    "this script and this budget, what failed and why, what is still worth trying. Drop what no longer matters, "
    "keep every number that does. Answer with the new notebook only, one line per lesson."
)
