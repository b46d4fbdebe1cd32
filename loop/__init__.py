"""looptop's engine. `pyproject.toml` reads the version here. It imports nothing: every warden would pay for it."""

VERSION = "0.1.0"
