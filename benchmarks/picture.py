"""Draws the table as bars: `draw_picture`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import log10

COLORS = ('#1f6f8b', '#5fb3b3', '#c9a227', '#d97b4f', '#9a6fb0')
"""The colors of the columns, ours first."""

WIDTH, LEFT, BAR, GAP = 900, 330, 9, 12
LEAST, MOST = 0.1, 100.0
"""The ends of the logarithmic scale."""


def draw_picture(columns: Mapping[str, Sequence[float | None]], titles: Sequence[str]) -> str:
    """Return an SVG with a group of bars for each title. `columns` are the ratios of each column, in order."""
    height = 60 + sum(_measure_group(columns, row) for row in range(len(titles)))
    lines = [_draw_legend(columns), _draw_scale(height)]
    top = 50
    for row, title in enumerate(titles):
        lines.append(_draw_group(columns, row, title, top))
        top += _measure_group(columns, row)
    style = 'font: 12px system-ui, sans-serif; fill: #444'
    body = '\n'.join(lines)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" style="{style}">\n{body}\n</svg>\n'


def _measure_group(columns: Mapping[str, Sequence[float | None]], row: int) -> int:
    return GAP + BAR * max(1, sum(ratios[row] is not None for ratios in columns.values()))


def _find_x(ratio: float) -> float:
    share = log10(min(max(ratio, LEAST), MOST) / LEAST) / log10(MOST / LEAST)
    return LEFT + share * (WIDTH - LEFT - 50)


def _draw_legend(columns: Mapping[str, object]) -> str:
    return '\n'.join(
        f'<rect x="{LEFT + 110 * n}" y="8" width="10" height="10" fill="{color}"/>'
        f'<text x="{LEFT + 110 * n + 15}" y="17">{escape(name)}</text>'
        for n, (name, color) in enumerate(zip(columns, COLORS, strict=False))
    )


def _draw_scale(height: int) -> str:
    return '\n'.join(
        f'<line x1="{_find_x(ratio):.0f}" x2="{_find_x(ratio):.0f}" y1="40" y2="{height}" '
        f'stroke="{"#444" if ratio == 1 else "#ddd"}"/><text x="{_find_x(ratio) + 3:.0f}" y="38">{ratio:g}</text>'
        for ratio in (0.1, 1.0, 10.0, 100.0)
    )


def _draw_group(columns: Mapping[str, Sequence[float | None]], row: int, title: str, top: int) -> str:
    bars = [(ratios[row], color) for ratios, color in zip(columns.values(), COLORS, strict=False)]
    shown = [(ratio, color) for ratio, color in bars if ratio is not None]
    lines = [f'<text x="{LEFT - 8}" y="{top + BAR}" text-anchor="end">{escape(title)}</text>']
    for n, (ratio, color) in enumerate(shown):
        y, width = top + n * BAR, _find_x(ratio) - LEFT
        lines.append(f'<rect x="{LEFT}" y="{y}" width="{width:.0f}" height="{BAR - 1}" fill="{color}"/>')
        label = f'<text x="{LEFT + width + 4:.0f}" y="{y + BAR - 1}" font-size="9">{ratio:.2f}</text>'
        lines.append(label)
    return '\n'.join(lines)
