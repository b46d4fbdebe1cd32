"""Burns 0.4 s of CPU time in each of two children."""

import os
import time

children = []
for _ in range(2):
    child = os.fork()
    if child == 0:
        while time.process_time() < 0.4:
            pass
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
