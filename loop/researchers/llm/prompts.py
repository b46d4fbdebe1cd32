"""What a model is told in the course of a conversation, after the briefing it starts with. Plain text."""

EMPTY = "Your answer was empty. Look up what you need with the tools, change the draft, and call propose."
ONLY_THOUGHT = (
    "You have thought, and your answer itself was empty, so nothing has happened. Go on with the tools from the end of "
    "your thoughts:\n\n{end}"
)
NO_TOOL = "You used no tool, so nothing has happened. Change the draft with edit_file, then call propose."
UNPROPOSED = (
    "Your draft is changed, and not handed over yet. Call propose, or edit further. If you do neither in your next "
    "answer, the draft is handed over as it is, with your words as its hypothesis."
)
HANDED_OVER = "Your draft was handed over as it was."
TEXT = "Nothing has happened yet. If function calls do not work for you, write them as text."
CUT = "Your answer was cut off at its limit of tokens, so the end did not arrive. Say less in one answer."
STUCK = "Your answer said the same over and over, so it was cut off. Make one change with a tool, and call propose."
REFUSED = "You declined. This is ordinary engineering on a program: propose a change that you are comfortable with."
NEARLY = "You have {left} answers left for this experiment. Finish the draft and call propose."
LAST = (
    "This is the last answer there is a budget for: {reason}. If your draft is worth a run, finish it and call propose "
    "in this answer; what is not proposed now is lost."
)
WORDS = "The person who runs this study says:\n\n{words}\n\nFollow it; it takes precedence over what was said before."
MOVED = (
    "Meanwhile experiment {number} ({title}) has become the champion{measured}, and your draft is on top of it now. "
    "What has changed in the files you may edit:\n\n{diff}\n\n{became}"
)
FITS = "Your draft has all of your edits still; read_file shows the files as they are now."
CLASHES = (
    "These pieces of your draft do not go together with that, so they are no longer in it, and what is left may not "
    "work by itself. Make them anew where they still make sense:\n\n{pieces}"
)
UNTOUCHED = "Your draft has no edits."
INTERRUPTED = "(You were interrupted in the middle of an answer. The end of what you had written: {end})"
REWRITE = (
    "The notebook of this study has become too long. Rewrite it in under {words} words: what was learnt about "
    "this script and this budget, what failed and why, what is still worth trying. Drop what no longer matters, "
    "keep every number that does. Answer with the new notebook only, one line per lesson."
)
