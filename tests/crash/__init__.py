"""Kills the supervisor at every step of whole studies, and looks what came of it.

`python -m tests.crash --points 300` works through studies that are killed again and again, and prints how many
experiments were lost, doubled or left inconsistent. Rooms: `studies` is what is worked on, `mortal` counts a
supervisor's steps from inside, `tracer` its system calls from outside, `trial` is one study from its first start to its
end with all kills in between, `__main__` chooses the kills and adds up. The product knows nothing of any of it.
"""
