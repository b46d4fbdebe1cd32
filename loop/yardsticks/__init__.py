"""Yardsticks: how much different researchers gain on problems with known truth, in whole studies of the real loop.

`catalog` has the problems, `methods` who may propose, `scripted` a model that plays a script; `study` runs one study to
its share of runs and measures what came of it, `bench` all of them; `results` (pure) makes figures of that, `chart`
draws them. It starts supervisors and follows their journals, and does nothing inside of them.
"""
