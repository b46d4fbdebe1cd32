"""The researcher that thinks: a language model behind any OpenAI-compatible endpoint. `researcher` is its front door.

`conversation` holds what was said, `chat` and `responses` speak the two dialects, `thinking` and `verbs` read what
models write into their text, `faults` says what a failure means, `endpoint` makes the calls and waits, `prices`
counts money.
"""
