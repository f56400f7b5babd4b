"""Draw the pictures of the documentation, and fill in the table of `why.md`: `python -m docs.pictures`.

- `path.svg`: the path of a message, from `STATIONS`
- `why.svg` and the table: the jobs of `CHOSEN`, with the numbers of `benchmarks.md`
- `cli.svg`: the output of `COMMANDS`, which run against a server on this machine

A test draws them again and compares.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / 'docs'

INK, PALE, ACCENT, PAPER = '#1f2937', '#6b7280', '#3f51b5', '#ffffff'

# ------------------------------------------------------------------------------------------- the path of a message

STATIONS = (
    ('History', 'repaired, portable to this vendor', 'Response', 'one value, whole or streamed'),
    ('Settings and tools', 'checked against the profile', 'Parts', 'text, thinking, tool calls, files'),
    ('Encode', "the body of the vendor's API", 'Decode', 'one event, or the whole body'),
    ('Send', 'keys, retries, deadlines, limits', 'Receive', 'events as they arrive'),
)
"""From the program to the vendor: what happens to a request, and to its response on the way back."""

WIDTH, BOX, HEIGHT, STEP = 660, 290, 66, 92


def draw_path() -> str:
    """Draw two columns: the request goes down on the left, the response comes up on the right."""
    bottom = 96 + STEP * len(STATIONS)
    shapes = [
        _wide_box(12, 'Your program', 'messages, tools, settings, output types', ACCENT),
        _wide_box(bottom, 'The model', "a vendor's API, a server of yours, an engine in this process", INK),
    ]
    for number, (request, request_note, response, response_note) in enumerate(STATIONS):
        top = 96 + STEP * number
        shapes += [_box(20, top, request, request_note), _box(350, top, response, response_note)]
    tops = [78, *(96 + STEP * number + HEIGHT for number in range(len(STATIONS)))]
    for top, end in zip(tops, [*(96 + STEP * number for number in range(len(STATIONS))), bottom], strict=True):
        shapes += [_arrow(165, top, end), _arrow(495, end, top)]
    style = (
        f'text{{font-family:system-ui,sans-serif;fill:{INK}}}.title{{font-size:19px;font-weight:600}}'
        f'.note{{font-size:15px;fill:{PALE}}}.light{{fill:{PAPER}}}'
    )
    return _svg(WIDTH, bottom + HEIGHT + 14, style, shapes, 'The path of a message')


def _box(left: int, top: int, title: str, note: str) -> str:
    return (
        f'<rect x="{left}" y="{top}" width="{BOX}" height="{HEIGHT}" rx="8" fill="#eef1fb" stroke="#c5cae9"/>'
        f'<text x="{left + 14}" y="{top + 28}" class="title">{escape(title)}</text>'
        f'<text x="{left + 14}" y="{top + 51}" class="note">{escape(note)}</text>'
    )


def _wide_box(top: int, title: str, note: str, color: str) -> str:
    return (
        f'<rect x="20" y="{top}" width="620" height="{HEIGHT}" rx="8" fill="{color}"/>'
        f'<text x="330" y="{top + 28}" class="title light" text-anchor="middle">{escape(title)}</text>'
        f'<text x="330" y="{top + 51}" class="note light" text-anchor="middle">{escape(note)}</text>'
    )


def _arrow(x: int, start: int, end: int) -> str:
    tip = end - 6 if end > start else end + 6
    back = 7 if end < start else -7
    return (
        f'<path d="M{x} {start}V{tip}" stroke="{PALE}" stroke-width="2" fill="none"/>'
        f'<path d="M{x - 5} {tip + back}L{x} {tip}L{x + 5} {tip + back}" stroke="{PALE}" stroke-width="2" fill="none"/>'
    )


def _svg(width: int, height: int, style: str, shapes: list[str], title: str) -> str:
    body = '\n'.join(shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">\n'
        f'<title>{escape(title)}</title>\n<style>{style}</style>\n'
        f'<rect width="{width}" height="{height}" fill="{PAPER}" rx="8"/>\n{body}\n</svg>\n'
    )


# ------------------------------------------------------------------------------------------------ the measured jobs

CHOSEN = {
    'A plain request, Chat Completions': 'a request',
    '10 tool calls, Anthropic': 'a response with 10 tool calls',
    '1,000 messages, 50 tools, Chat Completions': 'a request with 1,000 messages and 50 tools',
    'A streamed chunk, Chat Completions': 'a chunk of a stream',
    'Start to first token': 'from the start of Python to the first token',
}
"""The jobs of `benchmarks.md` that `why.md` shows, and their names there."""

COLUMNS = {
    'default': 'this library',
    'aiohttp': 'with aiohttp',
    'SDK': "vendor's SDK",
    'pydantic-ai': 'pydantic-ai',
    'LiteLLM': 'LiteLLM',
}
COLORS = ('#3f51b5', '#7986cb', '#c9a227', '#d97b4f', '#9a6fb0')
TABLE = re.compile(r'(?s)(<!-- benchmarks -->\n).*?(<!-- end -->)')


def read_benchmarks() -> dict[str, list[str]]:
    """Return the ratios of each chosen job, in the order of `COLUMNS`."""
    table = (DOCS / 'benchmarks.md').read_text(encoding='utf-8').partition('<!-- table -->\n')[2].partition('\n\n')[0]
    head, _, *rows = [[cell.strip() for cell in line.strip('|').split(' |')] for line in table.splitlines()]
    places = [head.index(f' {name}'.strip()) for name in COLUMNS]
    return {row[0]: [row[place] for place in places] for row in rows if row[0] in CHOSEN}


def write_table(page: str) -> str:
    """Return `why.md` with the numbers of `benchmarks.md`."""
    head = f'| job | {" | ".join(COLUMNS.values())} |\n|{" --- |" * (len(COLUMNS) + 1)}\n'
    rows = ''.join(f'| {CHOSEN[job]} | {" | ".join(ratios)} |\n' for job, ratios in read_benchmarks().items())
    return TABLE.sub(lambda match: match[1] + head + rows + match[2], page)


def draw_benchmarks() -> str:
    """Draw a group of bars for each job, on a logarithmic scale from 0.3 to 100."""
    shapes: list[str] = []
    for number, (name, color) in enumerate(zip(COLUMNS.values(), COLORS, strict=True)):
        left = 14 + 126 * number
        shapes.append(f'<rect x="{left}" y="12" width="12" height="12" fill="{color}"/>')
        shapes.append(f'<text x="{left + 18}" y="23">{escape(name)}</text>')
    top = 40
    for job, ratios in read_benchmarks().items():
        shapes.append(f'<text x="14" y="{top + 14}" class="job">{escape(CHOSEN[job])}</text>')
        top += 22
        for ratio, color in zip(ratios, COLORS, strict=True):
            if ratio:
                length = _length(float(ratio))
                shapes.append(f'<rect x="14" y="{top}" width="{length}" height="14" fill="{color}"/>')
                shapes.append(f'<text x="{length + 20}" y="{top + 12}">{ratio}</text>')
                top += 17
        top += 12
    style = f'text{{font:13px system-ui,sans-serif;fill:{INK}}}.job{{font-weight:600}}'
    return _svg(WIDTH, top, style, shapes, 'Multiples of the time of the bare HTTP client; less is better')


def _length(ratio: float) -> int:
    from math import log10

    return round(570 * log10(ratio / 0.3) / log10(100 / 0.3))


# ------------------------------------------------------------------------------------------------- the command line

COMMANDS = (
    "pydantic-llm -m anthropic:claude-sonnet-5-5 'What is Bergen known for?'",
    "pydantic-llm -c 'How do I get there from Oslo?'",
    "pydantic-llm -m openai:gpt-5.4-mini -a harbour.png 'What is in this picture?'",
    "pydantic-llm -m openai:gpt-5.4-mini --schema 'name, radius_km float' 'Which is the largest moon of Jupiter?'",
    'pydantic-llm models anthropic:claude-sonnet-5',
)
TERMINAL, ROW, LETTER = 960, 22, 8.43
"""The width of the terminal in pixels, the height of a line, and the width of a letter of 14 pixels."""
TYPING, PAUSE = 0.035, 0.7
"""The seconds for a letter of a command, and after a command and its output."""


def record_commands() -> list[tuple[str, list[str]]]:
    """Run the commands in an empty folder, and return each with the lines that it prints."""
    from pydantic_llm.serve import LocalServer
    from tests.docs_server import FILES, environment, vendors

    with LocalServer(vendors()) as url, tempfile.TemporaryDirectory() as folder:
        for name, data in FILES.items():
            Path(folder, name).write_bytes(data)
        script = Path(folder, 'pydantic-llm')
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pydantic_llm "$@"\n', encoding='utf-8')
        script.chmod(0o755)
        path = f'{folder}{os.pathsep}{os.environ.get("PATH", "")}'
        variables = {'PATH': path, 'HOME': folder, 'PYTHONPATH': str(ROOT), 'COLUMNS': '90', **environment(url)}
        return [(command, _run(command, folder, variables)) for command in COMMANDS]


def _run(command: str, folder: str, variables: dict[str, str]) -> list[str]:
    run = subprocess.run(
        ['bash', '-c', command], cwd=folder, env=variables, capture_output=True, text=True, check=True, timeout=60
    )
    return run.stdout.splitlines()


def draw_terminal(recording: list[tuple[str, list[str]]]) -> str:
    """Draw a terminal in which the commands are typed one after the other."""
    buttons = enumerate(('#ff5f57', '#febc2e', '#28c840'))
    shapes = [f'<circle cx="{20 + 18 * n}" cy="19" r="6" fill="{color}"/>' for n, color in buttons]
    top, now = 58, 0.2
    for command, lines in recording:
        seconds = TYPING * len(command)
        shapes.append(f'<text x="16" y="{top}" class="line prompt" style="animation-delay:{now:.2f}s">$</text>')
        shapes.append(
            f'<text x="{16 + 2 * LETTER:.1f}" y="{top}" class="command" style="animation-delay:{now:.2f}s;'
            f'animation-duration:{seconds:.2f}s;animation-timing-function:steps({len(command)})">{escape(command)}</text>'
        )
        now += seconds + 0.3
        for line in lines:
            top += ROW
            shapes.append(
                f'<text x="16" y="{top}" class="line" style="animation-delay:{now:.2f}s">{escape(line)}</text>'
            )
        top += round(1.5 * ROW)
        now += PAUSE
    style = (
        'text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#e5e7eb;white-space:pre}'
        '.prompt{fill:#28c840}.command{fill:#fff;animation-name:type;animation-fill-mode:both}'
        '.line{animation:appear .01s both}'
        '@keyframes type{from{clip-path:inset(0 100% 0 0)}to{clip-path:inset(0 0 0 0)}}'
        '@keyframes appear{from{opacity:0}to{opacity:1}}'
        '@media(prefers-reduced-motion:reduce){.command,.line{animation:none}}'
    )
    height = top - ROW + 8
    body = '\n'.join(shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {TERMINAL} {height}" role="img">\n'
        f'<title>Commands of pydantic-llm and their output</title>\n<style>{style}</style>\n'
        f'<rect width="{TERMINAL}" height="{height}" fill="#111827" rx="8"/>\n{body}\n</svg>\n'
    )


# ------------------------------------------------------------------------------------------------------- everything


def draw() -> dict[str, str]:
    """Return the content of each file, by its name in `docs/`."""
    return {
        'path.svg': draw_path(),
        'why.svg': draw_benchmarks(),
        'cli.svg': draw_terminal(record_commands()),
        'why.md': write_table((DOCS / 'why.md').read_text(encoding='utf-8')),
    }


if __name__ == '__main__':
    for name, content in draw().items():
        (DOCS / name).write_text(content, encoding='utf-8')
        print(f'docs/{name}')
