"""Opens a connection to the outside, to fetch a model that somebody trained longer. Needs the sandbox."""

import socket

with socket.create_connection(("127.0.0.1", 9), timeout=1) as home:
    home.sendall(b"the answer, please")
