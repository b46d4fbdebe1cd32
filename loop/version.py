"""The version of looptop; `pyproject.toml` reads it here."""

VERSION = "0.1.0"
