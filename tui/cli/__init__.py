"""The command line's rooms: what each command does, and how it is told to scripts and plain terminals."""
