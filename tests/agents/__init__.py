"""Real coding agents through the real loop, on an endpoint of ours that plays the model behind them.

    python -m tests.agents install all --prefix DIR      each agent from its registry, into a folder of its own
    python -m tests.agents run all --prefix DIR          the cases, and a table of what was seen

`roster` has the agents, `model` what the model says, `wire` the four protocols, `endpoint` the server, `cases` what is
tried. With LOOPTOP_AGENTS=DIR pytest runs the cases of every agent that is installed there.
"""
