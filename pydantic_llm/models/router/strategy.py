"""Which of several deployments is asked first: a score for each strategy. Pure, but for chance."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import inf, log
from typing import Literal, assert_never

from ...messages import ModelMessage, ModelRequest, SystemPromptPart, UserPromptPart
from .deployment import Deployment
from .state import Standing

Strategy = Literal['shuffle', 'least_busy', 'lowest_latency', 'lowest_cost', 'sticky']
"""How a deployment is chosen: by chance and weight; the one with the fewest requests under way for its weight; the one
that let one wait for the shortest time lately; the cheapest; or for the same conversation the same one."""

STRATEGIES: tuple[Strategy, ...] = ('shuffle', 'least_busy', 'lowest_latency', 'lowest_cost', 'sticky')

MILLION = 1_000_000

BEGINNING = 2_000
"""How many characters of the first prompt tell conversations apart."""


class Choice:
    """A strategy, for one request. Of two that are equally good, chance chooses, by weight."""

    def __init__(self, strategy: Strategy, key: str) -> None:
        self._strategy: Strategy = strategy
        self._key = key

    def order(
        self, group: Sequence[Deployment], standings: Mapping[str, Standing], read: int, written: int
    ) -> list[Deployment]:
        """The deployments, the best first."""
        scored = [
            (self._score(each, standings[each.name], read, written), _chance(random.random(), each.weight), each)
            for each in group
        ]
        return [each for _, _, each in sorted(scored, key=lambda row: row[:2])]

    def _score(self, deployment: Deployment, standing: Standing, read: int, written: int) -> float:
        """How bad a choice it is."""
        strategy = self._strategy
        match strategy:
            case 'shuffle':
                return 0.0
            case 'least_busy':
                return standing.under_way / deployment.weight
            case 'lowest_latency':
                return 0.0 if standing.latency is None else standing.latency
            case 'lowest_cost':
                return _cost(deployment, read, written)
            case 'sticky':
                return _chance(_uniform(f'{self._key}/{deployment.name}'), deployment.weight)
            case _:
                assert_never(strategy)


def _chance(number: float, weight: float) -> float:
    """A waiting time that is shorter, on the average, the greater the weight: the first to come is chosen by weight."""
    return -log(1 - number) / weight


def _uniform(text: str) -> float:
    """A number from 0 to 1 that is always the same for a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7]) / 2**56


def _cost(deployment: Deployment, read: int, written: int) -> float:
    """What a request costs; infinite where nobody knows."""
    prices = deployment.cost or known_price(deployment.built.system, deployment.built.model_name)
    return inf if prices is None else (prices[0] * read + prices[1] * written) / MILLION


@lru_cache(maxsize=1024)
def known_price(system: str, model_name: str) -> tuple[float, float] | None:
    """What a million tokens cost, read and written, in US dollars, if the package `genai-prices` knows."""
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        return None
    try:
        read, written = (
            calc_price(usage, model_ref=model_name, provider_id=system).total_price
            for usage in (Usage(input_tokens=MILLION), Usage(output_tokens=MILLION))
        )
    except LookupError:
        return None
    return float(read), float(written)


def sticky_key(messages: Sequence[ModelMessage]) -> str:
    """What a conversation begins with, which stays the same as it grows."""
    first = next((message for message in messages if isinstance(message, ModelRequest)), None)
    if first is None:
        return ''
    texts = [first.instructions or '']
    for part in first.parts:
        if isinstance(part, SystemPromptPart):
            texts.append(part.content)
        elif isinstance(part, UserPromptPart):
            texts += [item[:BEGINNING] for item in part.items() if isinstance(item, str)]
    return '\n'.join(texts)
