"""The contrast of the playground's colours, in light and dark mode: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

import pydantic_llm.serve.playground

STYLE = (Path(pydantic_llm.serve.playground.__file__).parent / 'page.css').read_text()

COLORS = {
    name: (light, dark)
    for name, light, dark in re.findall(r'--(\w+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);', STYLE)
}
"""The light and the dark form of each colour."""

TEXTS = ('text', 'muted', 'accent', 'bad')
BACKGROUNDS = ('page', 'card', 'code', 'user')


def luminance(color: str) -> float:
    shares = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(color: str, other: str) -> float:
    darker, lighter = sorted((luminance(color), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_measure_is_that_of_the_guidelines() -> None:
    assert contrast('#000000', '#ffffff') == pytest.approx(21)
    assert contrast('#777777', '#ffffff') == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize('mode', [0, 1], ids=['light', 'dark'])
def test_every_text_can_be_read_on_every_background(mode: int) -> None:
    ratios = {(a, b): contrast(COLORS[a][mode], COLORS[b][mode]) for a, b in product(TEXTS, BACKGROUNDS)}
    assert {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < 4.5} == {}


@pytest.mark.parametrize('mode', [0, 1], ids=['light', 'dark'])
def test_the_edges_of_inputs_and_buttons_can_be_seen(mode: int) -> None:
    assert re.search(r'button, input, select, textarea, \.button \{[^}]*border: 1px solid var\(--edge\)', STYLE)
    ratios = {name: contrast(COLORS['edge'][mode], COLORS[name][mode]) for name in ('page', 'card')}
    assert {name: round(ratio, 2) for name, ratio in ratios.items() if ratio < 3} == {}
