"""Who proposes: a language model, an optimiser, a coding agent's command line.

`protocol` is the promise that each of them keeps, `registry` knows them by name.
"""
