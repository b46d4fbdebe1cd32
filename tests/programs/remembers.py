"""Holds as many megabytes as its argument says in each of two children, until both have held it for a while."""

import os
import sys
import time

import mark

size = int(sys.argv[1]) << 20
for _ in range(2):
    if os.fork() == 0:
        mark.here()
        held = bytearray(os.urandom(1 << 16)) * (size >> 16)
        time.sleep(float(sys.argv[2]))
        os._exit(0)
for _ in range(2):
    os.wait()
