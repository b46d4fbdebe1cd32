"""Recovery: where journal, git, process table and disk disagree, and what is done about it.

`compare` is the pure function that finds it, in terms of `findings`; `repair` observes the world for it and carries out
what it says, at every start of a supervisor; `doctor` does so for a person. `rebuild` makes a new journal, from what
`salvage` reads of a damaged one and from what git knows (`git_facts`).
"""
