"""Stands for the supervisor: holds a secret in its environment and its memory until it is ended; says where."""

import ctypes
import os
import time

secret = ctypes.create_string_buffer(os.environ["SECRET"].encode())
print(os.getpid(), ctypes.addressof(secret), flush=True)
time.sleep(600)
