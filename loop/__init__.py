"""looptop's engine. `pyproject.toml` reads the version here; this file imports nothing, since every warden pays for it."""

VERSION = "0.1.0"
