"""Tests of reading descriptions from docstrings."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given, strategies

from pydantic_llm.tools.docstrings import ParsedDocstring, parse_docstring

GOOGLE = """Look the weather up.

    More on it: it may
    take two lines.

    Args:
        city (str): The city
            to look up.

            - in Europe
            - elsewhere
        days (Optional[tuple(int)]): How many: one, or more.
        *args: The rest.
        **kwargs: What else.

    Example:
        weather('Paris')

    Returns:
        The weather.

    Raises:
        KeyError: Where there is no such city.

    End.
    """

NUMPY = """Look the weather up.

    More on it.

    Parameters
    ----------
    city : str
        The city
        to look up.
    low, high : int, optional
        Degrees.
    *args
        The rest.
    undescribed : int

    Returns
    -------
    str
        The weather.

    Notes
    -----
    Cached.
    """

SPHINX = """Look the :class:`Weather` up.

    More on it.

    :param city: The city
        to look up.
    :param dict[str, int] days: How many.
    :type city: str
    :keyword unit: C or F.
    :returns: The weather,
        as text.
    :raises KeyError: Where there is no such city.
    """


@pytest.mark.parametrize('style', ['google', 'auto'])
def test_google_style(style: Literal['google', 'auto']) -> None:
    assert parse_docstring(GOOGLE, style) == ParsedDocstring(
        "Look the weather up.\n\nMore on it: it may\ntake two lines.\n\nExample:\n    weather('Paris')\n\nEnd.",
        {
            'city': 'The city\nto look up.\n\n- in Europe\n- elsewhere',
            'days': 'How many: one, or more.',
            'args': 'The rest.',
            'kwargs': 'What else.',
        },
    )


@pytest.mark.parametrize('style', ['numpy', 'auto'])
def test_numpy_style(style: Literal['numpy', 'auto']) -> None:
    assert parse_docstring(NUMPY, style) == ParsedDocstring(
        'Look the weather up.\n\nMore on it.\n\nNotes\n-----\nCached.',
        {'city': 'The city\nto look up.', 'low': 'Degrees.', 'high': 'Degrees.', 'args': 'The rest.'},
    )


@pytest.mark.parametrize('style', ['sphinx', 'auto'])
def test_sphinx_style(style: Literal['sphinx', 'auto']) -> None:
    assert parse_docstring(SPHINX, style) == ParsedDocstring(
        'Look the :class:`Weather` up.\n\nMore on it.',
        {'city': 'The city\nto look up.', 'days': 'How many.', 'unit': 'C or F.'},
    )


def test_parameters_can_start_on_the_first_line() -> None:
    assert parse_docstring(
        'Args:\n        city: The city.\n            Really.\n        n: Days.\n'
    ) == ParsedDocstring('', {'city': 'The city.\nReally.', 'n': 'Days.'})


def test_a_block_with_an_unknown_title_is_text() -> None:
    text = 'Look it up.\n\nWarning:\n    It rains.\nDetails: none.'
    assert parse_docstring(text) == ParsedDocstring(text, {})


@pytest.mark.parametrize('docstring', [None, '', ' \n '])
def test_an_empty_docstring_has_no_descriptions(docstring: str | None) -> None:
    assert parse_docstring(docstring) == ParsedDocstring('', {})


def test_only_the_given_style_is_recognized() -> None:
    assert parse_docstring(SPHINX, 'google').parameters == {}
    assert parse_docstring(GOOGLE, 'numpy').parameters == {}
    assert parse_docstring(NUMPY, 'sphinx').parameters == {}


FRAGMENTS = strategies.sampled_from(
    [
        'Args:',
        'Returns:',
        'Parameters',
        '-----',
        ':param x:',
        ':returns:',
        'x',
        'x: y',
        '*a (int): z',
        '    ',
        '\n',
        '\n\n',
        ':',
        '\t',
    ]
)


@given(
    strategies.lists(FRAGMENTS | strategies.text(max_size=8)).map(''.join),
    strategies.sampled_from(['auto', 'google', 'numpy', 'sphinx']),
)
def test_any_text_can_be_read(text: str, style: Literal['auto', 'google', 'numpy', 'sphinx']) -> None:
    parsed = parse_docstring(text, style)
    assert parsed.text == parsed.text.strip()
    assert all(name.isidentifier() or name for name in parsed.parameters)
