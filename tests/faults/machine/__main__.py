"""Run the machine: `python -m tests.faults.machine 5000 [seed]`."""

from __future__ import annotations

import logging
import random
import sys
import tempfile
from pathlib import Path

from tests.faults.machine.run import find_server, run

if __name__ == '__main__':
    logging.getLogger('pydantic_llm.router').setLevel(logging.ERROR)  # a warning for each outage
    count, number = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(2**32)
    sys.stdout.write(f'seed {number}\n')
    with tempfile.TemporaryDirectory() as folder, find_server(Path(folder)) as server:
        sys.stdout.write(f'{run(count, number, server)}\n')
