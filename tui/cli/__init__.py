"""The command line: what each command does, and what it prints for scripts and plain terminals."""
