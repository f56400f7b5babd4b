"""The command line: `pydantic-llm 'question'`.

The commands are `ask`, `chat`, `map`, `models`, `serve`, `keys`, `logs`, `templates`, `doctor` and `completion`.

Reading order: `entry` runs one command, `parser` has the table of commands and their options, `options` those of a
request, which `ask` and `chat` share. Each command is a function in the module of its name.

A request: `conversation` opens a `session` from the options (`choice` and `vendors` find the model, `settings` reads
`-o`, `schema` and `functions` read `--schema`, `--tool` and `--mcp`, `attachments` the files, `templates` the saved
options). `turn` sends it, `turn_display` and `screen` show the response while it arrives, `results`, `images` and
`usage_line` print the rest, `log` keeps it.

`folders` has the place of the files, `stored_keys` the keys, `notes` prints to the standard error, `errors` and `texts`
make errors and foreign encodings readable.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

__all__ = ('main',)

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended: 128 + SIGINT."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. For wrong usage, argparse exits the process with 2.

    Ctrl-C may come at any time, also while the modules are imported.
    """
    try:
        from .entry import run_command

        return run_command(argv)
    except KeyboardInterrupt:
        warnings.simplefilter('ignore')  # of coroutines that were not awaited: nothing is any more
        print('Interrupted.', file=sys.stderr)
        return INTERRUPTED
