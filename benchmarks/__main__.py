"""Runs benchmarks and prints their ratios: `python -m benchmarks [imports] [requests] [streams] ...`.

Every figure is a ratio of CPU times, measured in turns in this run on this machine: the median of the rounds, with the
minimum and the maximum. `gateway` and `bedrock` measure wall-clock time too.
"""

from __future__ import annotations

import sys

from benchmarks import bedrock, caching, crowds, gateway, imports, requests, streams, transports

BENCHMARKS = {
    'imports': imports.run,
    'requests': requests.run,
    'streams': streams.run,
    'crowds': crowds.run,
    'gateway': gateway.run,
    'transports': transports.run,
    'bedrock': bedrock.run,
    'caching': caching.run,
}


def main() -> None:
    """Run the benchmarks named on the command line, or all of them."""
    for name in sys.argv[1:] or BENCHMARKS:
        print(f'\n{name}')
        for line in BENCHMARKS[name]():
            print(f'  {line}')


if __name__ == '__main__':
    main()
