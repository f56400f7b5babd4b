"""The order in which a router tries the deployments of a group: a score for each strategy, then chance. No I/O."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from math import inf, log
from typing import Literal, assert_never

from ...exceptions import UserError
from ...messages import ModelMessage, ModelRequest, SystemPromptPart, UserPromptPart
from ...prices import MILLION, Prices, check_prices_installed, find_prices
from .deployment import Deployment
from .state import DeploymentStatus

Strategy = Literal['shuffle', 'least_busy', 'lowest_latency', 'lowest_cost', 'sticky']
"""The way to choose a deployment.

`shuffle`: at random, by weight. `least_busy`: the fewest requests under way, relative to the weight. `lowest_latency`:
the shortest latency of late. `lowest_cost`: the lowest price. `sticky`: the same one for the same conversation."""

STRATEGIES: tuple[Strategy, ...] = ('shuffle', 'least_busy', 'lowest_latency', 'lowest_cost', 'sticky')

KEY_LENGTH = 2_000
"""The number of characters of a prompt that identify a conversation."""


class Ranking:
    """The order of deployments for one request. Of equally good ones, chance decides, by weight."""

    def __init__(self, strategy: Strategy, key: str, *, input_tokens: int, output_tokens: int) -> None:
        self._strategy: Strategy = strategy
        self._key = key
        self._input_tokens = input_tokens
        self._output_tokens = output_tokens

    def order(self, group: Sequence[Deployment], statuses: Mapping[str, DeploymentStatus]) -> list[Deployment]:
        scored = [
            (self._score(each, statuses[each.name]), _draw_delay(random.random(), each.weight), each) for each in group
        ]
        return [each for _, _, each in sorted(scored, key=lambda row: row[:2])]

    def _score(self, deployment: Deployment, status: DeploymentStatus) -> float:
        """Return a score; the lowest is the best."""
        strategy = self._strategy
        match strategy:
            case 'shuffle':
                return 0.0
            case 'least_busy':
                return status.under_way / deployment.weight
            case 'lowest_latency':
                return 0.0 if status.latency is None else status.latency
            case 'lowest_cost':
                return self._estimate_cost(deployment)
            case 'sticky':
                return _draw_delay(_hash_to_number(f'{self._key}/{deployment.name}'), deployment.weight)
            case _:
                assert_never(strategy)

    def _estimate_cost(self, deployment: Deployment) -> float:
        """Return the estimated price of the request; infinite if the prices are unknown."""
        prices = _get_prices(deployment)
        return inf if prices is None else (prices[0] * self._input_tokens + prices[1] * self._output_tokens) / MILLION


def _draw_delay(number: float, weight: float) -> float:
    """Turn a uniform number from [0, 1) into a delay with the rate `weight`.

    The shortest of several such delays belongs to each deployment with a probability in proportion to its weight:
    https://en.wikipedia.org/wiki/Exponential_distribution#Distribution_of_the_minimum_of_exponential_random_variables
    """
    return -log(1 - number) / weight


def _hash_to_number(text: str) -> float:
    """Return a number from [0, 1), always the same for the same text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7]) / 2**56


def check_strategy(strategy: Strategy, groups: Sequence[Sequence[Deployment]]) -> None:
    """Raise `UserError` for an unknown strategy, and for one that needs prices but does not know all of a group's."""
    if strategy not in STRATEGIES:
        raise UserError(f'strategy is one of {", ".join(map(repr, STRATEGIES))}, not {strategy!r}')
    for group in groups if strategy == 'lowest_cost' else ():
        unknown = [each for each in group if _get_prices(each) is None] if len(group) > 1 else []
        if unknown:
            check_prices_installed(what="strategy='lowest_cost' without cost=")
            names = ', '.join(repr(each.name) for each in unknown)
            raise UserError(
                f"strategy='lowest_cost' knows no price of {names}: give a Deployment of each its cost=, or call "
                'register_price of pydantic_llm.prices'
            )


def _get_prices(deployment: Deployment) -> tuple[float, float] | None:
    if isinstance(cost := deployment.cost, Prices):
        return float(cost.find('input') or 0), float(cost.find('output') or 0)
    return cost or find_prices(deployment.built.system, deployment.built.model_name)


def sticky_key(messages: Sequence[ModelMessage]) -> str:
    """Return the beginning of a conversation, which stays the same as the conversation grows."""
    first = next((message for message in messages if isinstance(message, ModelRequest)), None)
    if first is None:
        return ''
    texts = [first.instructions or '']
    for part in first.parts:
        if isinstance(part, SystemPromptPart):
            texts.append(part.content)
        elif isinstance(part, UserPromptPart):
            texts += [item[:KEY_LENGTH] for item in part.items() if isinstance(item, str)]
    return '\n'.join(texts)
