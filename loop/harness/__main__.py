"""`python -m loop.harness`: build the corpus, or verify the run that has just ended.

python -m loop.harness corpus     build it if it is not there, and say where it is
python -m loop.harness verify     measure the checkpoint in LOOPTOP_RUN_DIR with the train.py of this folder
python -m loop.harness sealed     the same on the sealed part of the text, which no verification scores
"""

import argparse
import sys
from typing import NoReturn

from loop.harness import corpus, verify


class Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"loop.harness: {message}; see python -m loop.harness --help\n")


def main() -> int:
    """Do what the command line says; returns the exit code."""
    parser = Parser(
        prog="python -m loop.harness", description="The text, the score and the examiner of a training run."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("corpus", help="build the corpus if it is not there, and say where it is and how big")
    verifying = commands.add_parser("verify", help="measure the checkpoint that a run left in LOOPTOP_RUN_DIR")
    opening = commands.add_parser(
        "sealed", help="the same on the sealed part of the text, which no verification scores"
    )
    for command in (verifying, opening):
        command.add_argument(
            "--file", default="train.py", help="the file whose load_model makes a model of it (train.py)"
        )
    chosen = parser.parse_args()
    return build() if chosen.command == "corpus" else verify.main(chosen.file, chosen.command == "sealed")


def build() -> int:
    """Build the corpus, and print where it is and how big."""
    try:
        folder = corpus.build(corpus.standard_library())
    except OSError as error:
        print(f"corpus: {error}", file=sys.stderr)
        return 1
    print(f"corpus: {folder}")
    for split in ("train", "validation"):
        files = len((folder / split / "files.txt").read_bytes().splitlines())
        print(f"{split}: {(folder / split / 'text.bin').stat().st_size / 1e6:.1f} MB of {files} files")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)  # as a shell reports a program that ctrl+c ended
