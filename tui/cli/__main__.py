"""`python -m tui.cli`: the command line, where no `looptop` was installed."""

from tui.cli.main import main

if __name__ == "__main__":
    main()
