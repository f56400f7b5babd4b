"""The options of `pydantic-llm map`."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path

from .options import OPTIONS

__all__ = ('add_map_options',)

ENGINES = ('local', 'ray', 'vllm')
"""The places to send requests from: this process, the nodes of a Ray cluster, or vLLM on the GPUs of the cluster."""


def add_map_options(parser: ArgumentParser) -> None:
    """Add the options to the parser of the command."""
    parser.add_argument(
        '-m',
        '--model',
        action='append',
        metavar='MODEL',
        help="e.g. 'openai:gpt-5.4-mini'; several share the requests",
    )
    parser.add_argument('--base-url', metavar='URL', help='the address of another server of this API')
    parser.add_argument('--input', type=Path, required=True, metavar='FILE', help='rows: .jsonl, .csv, .parquet')
    parser.add_argument('--output', type=Path, required=True, metavar='FILE', help='results, in one of these')
    parser.add_argument('-p', '--prompt', metavar='TEXT', help="with names of columns: 'Summarise {text}'")
    parser.add_argument('-s', '--system', metavar='TEXT', help='instructions for the model')
    parser.add_argument('--schema', help="one column for each field: 'name, age int', a JSON schema, or module:Class")
    parser.add_argument('--attach', metavar='COLUMN', help='the column with paths or URLs of files to send too')
    parser.add_argument('--columns', metavar='A,B', help='the columns of the input to copy (default: all)')
    parser.add_argument('--id', metavar='COLUMN', help="the column without duplicates (default: 'id', if there is one)")
    parser.add_argument('--limit', type=_parse_count, metavar='N', help='the first N rows only')
    parser.add_argument('--retry-failed', action='store_true', help='send the rows again that failed before')
    _add_speed_options(parser)
    _add_settings(parser)


def _add_speed_options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group('speed')
    group.add_argument(
        '--concurrency', type=_parse_count, default=16, metavar='N', help='requests at the same time (default: 16)'
    )
    group.add_argument('--requests-per-minute', type=float, metavar='N', help='the most requests to send in a minute')
    group.add_argument(
        '--tokens-per-minute', type=float, metavar='N', help='the most tokens to send and receive in a minute'
    )
    group.add_argument('--batch', action='store_true', help="use the vendor's batch API: half the price, within a day")
    group.add_argument('--poll', type=float, default=60.0, metavar='SECONDS', help='between two looks at a batch')
    group.add_argument('--engine', choices=ENGINES, default='local', help='where requests are sent from')
    group.add_argument('--ray-address', metavar='ADDRESS', help="the cluster (default: this machine's)")
    group.add_argument('--workers', type=_parse_count, metavar='N', help='processes of the cluster')
    group.add_argument(
        '--tensor-parallel-size',
        type=_parse_count,
        default=1,
        metavar='N',
        help='GPUs for each copy of the model (vllm)',
    )


def _add_settings(parser: ArgumentParser) -> None:
    group = parser.add_argument_group('settings')
    group.add_argument(
        '-o',
        '--option',
        action='append',
        default=[],
        metavar='NAME=VALUE',
        help='any setting, e.g. top_p=0.9; can be used several times',
    )
    for option in OPTIONS['settings']:
        group.add_argument(*option.flags, dest=option.name, help=option.help, **option.keywords)


def _parse_count(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise ArgumentTypeError(f'a whole number from 1 on, not {text!r}')
