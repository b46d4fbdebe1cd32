"""What keeps a command or a loop from its work and can be mended by a person."""


class UserError(Exception):
    """The message is one sentence for a person: what happened, to what, what to do next. Shown as it is."""

    code = 1
    """Exit code of a command that ends with it."""
