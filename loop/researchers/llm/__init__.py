"""A language model as a researcher, behind any OpenAI-compatible endpoint. `researcher` is the entry point.

`conversation` holds the messages, `chat` and `responses` are the two dialects of the API, `toolbox` has the tools,
`thinking` and `text_tools` read what models write into their text, `faults` says what a failure means, `endpoint` makes
the calls and waits, `prices` counts money.
"""
