"""What a docstring says of a function and of its parameters."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given, strategies

from pydantic_llm.tools.docstrings import Described, describe

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
def test_google(style: Literal['google', 'auto']) -> None:
    assert describe(GOOGLE, style) == Described(
        "Look the weather up.\n\nMore on it: it may\ntake two lines.\n\nExample:\n    weather('Paris')\n\nEnd.",
        {
            'city': 'The city\nto look up.\n\n- in Europe\n- elsewhere',
            'days': 'How many: one, or more.',
            'args': 'The rest.',
            'kwargs': 'What else.',
        },
    )


@pytest.mark.parametrize('style', ['numpy', 'auto'])
def test_numpy(style: Literal['numpy', 'auto']) -> None:
    assert describe(NUMPY, style) == Described(
        'Look the weather up.\n\nMore on it.\n\nNotes\n-----\nCached.',
        {'city': 'The city\nto look up.', 'low': 'Degrees.', 'high': 'Degrees.', 'args': 'The rest.'},
    )


@pytest.mark.parametrize('style', ['sphinx', 'auto'])
def test_sphinx(style: Literal['sphinx', 'auto']) -> None:
    assert describe(SPHINX, style) == Described(
        'Look the :class:`Weather` up.\n\nMore on it.',
        {'city': 'The city\nto look up.', 'days': 'How many.', 'unit': 'C or F.'},
    )


def test_parameters_may_begin_on_the_first_line() -> None:
    assert describe('Args:\n        city: The city.\n            Really.\n        n: Days.\n') == Described(
        '', {'city': 'The city.\nReally.', 'n': 'Days.'}
    )


def test_a_title_that_means_nothing_to_us_is_text() -> None:
    text = 'Look it up.\n\nWarning:\n    It rains.\nDetails: none.'
    assert describe(text) == Described(text, {})


@pytest.mark.parametrize('nothing', [None, '', ' \n '])
def test_nothing_says_nothing(nothing: str | None) -> None:
    assert describe(nothing) == Described('', {})


def test_the_style_that_was_asked_for_is_the_one_that_is_read() -> None:
    assert describe(SPHINX, 'google').parameters == {}
    assert describe(GOOGLE, 'numpy').parameters == {}
    assert describe(NUMPY, 'sphinx').parameters == {}


WORDS = strategies.sampled_from(
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
    strategies.lists(WORDS | strategies.text(max_size=8)).map(''.join),
    strategies.sampled_from(['auto', 'google', 'numpy', 'sphinx']),
)
def test_any_text_can_be_read(text: str, style: Literal['auto', 'google', 'numpy', 'sphinx']) -> None:
    described = describe(text, style)
    assert described.text == described.text.strip()
    assert all(name.isidentifier() or name for name in described.parameters)
