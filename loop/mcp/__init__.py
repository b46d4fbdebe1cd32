"""The record as tools for any agent, over the Model Context Protocol: `looptop mcp`.

Invariants:
- It reads one study: its journal, the commits of its experiments, the output of its runs. No argument is a path outside
  the champion's commit, and what a verification keeps hidden is not there to be asked for (`pipeline/archive.py`).
- It writes one file: what an agent says of its own change, beside the agent's worktree. It appends nothing to the
  journal, changes no branch, and judges nothing.
- It starts one thing: a scratch run, confined as a run, of the draft that stands in the folder of the agent.
- Every result is an object, every long one a part with the offset of the next, every refusal a sentence.
"""
