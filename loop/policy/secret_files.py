"""Which files look like secrets: by their names, and by keys in them. A file that does is never taken along unnamed."""

import fnmatch
import re

_NAMES = (
    ".env", ".env.*", "*.env", "*.pem", "*.key", "*.p12", "*.pfx", "*.keystore", "*.kdbx", "id_rsa*", "id_ed25519*",
    "id_ecdsa*", ".netrc", ".pypirc", ".npmrc", ".git-credentials", "*credential*", "*secret*", "token", "*.token",
    "*_token", "*_token.txt", "token.txt", "kaggle.json", "service-account*.json", "service_account*.json", "*.ovpn",
)  # fmt: skip
_NO_SECRET = (".env.example", ".env.sample", ".env.template", "*.py")
_KEY = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|\bhf_[A-Za-z0-9]{30,}"
    rb"|\bsk-[A-Za-z0-9_-]{32,}|\bxox[bp]-[0-9A-Za-z-]{20,}"
)


def is_secret_name(path: str) -> bool:
    """Whether a file is called as those are that hold keys and passwords."""
    name = path.rpartition("/")[2].lower()
    listed = any(fnmatch.fnmatchcase(name, one) for one in _NAMES)
    return listed and not any(fnmatch.fnmatchcase(name, one) for one in _NO_SECRET)


def holds_key(content: bytes) -> bool:
    """Whether a file has something in it that has the form of a well-known service's key."""
    return _KEY.search(content) is not None
