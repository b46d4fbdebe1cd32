"""Recovery: what journal, git, process table and disk disagree in, and what is done about it.

Rooms: `compare` is the pure function that finds it, in the words of `disagreement`; `mending` looks at the world for it
and carries out what it says, at every start of a supervisor; `doctor` does so for a person. `rebuilding` makes a
journal anew, from what `salvage` reads of a torn one and from what git remembers (`recollection`).
"""
