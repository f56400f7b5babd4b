"""One model over many deployments: several keys, regions or vendors that are interchangeable for the caller.

```python
model = RouterModel(
    [Deployment('openai:gpt-5.4-mini', weight=3), Deployment('azure:gpt-5.4-mini', requests_per_minute=300)],
    fallbacks=[[Deployment('anthropic:claude-sonnet-5-5')]],
)
```

A strategy chooses the deployment. A deployment that fails cools down for a while, and another one is tried. If all of a
group are cooling down or full, the next group is tried; if all groups are, the request waits in a queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ..._checks import check_number
from ..._type_checks import raise_wrong_type
from ...exceptions import ModelAPIError, UserError
from .. import Model
from ..fallback.rules import FallbackOn
from ..fallback.sequence import Attempt, MidStream, ModelSequence, SequenceRequest
from ..fallback.sequence_model import SequenceModel
from ..limits.wait_queue import WaitQueue
from .deployment import Deployment
from .sequence import RouterModelSettings, RouterSequence, Routing
from .state import MemoryState, RouterState
from .strategy import Strategy, check_strategy

__all__ = ('Deployment', 'RouterModel', 'RouterModelSettings', 'Strategy')


Group = Sequence[Deployment | Model | str]
"""Interchangeable deployments. A model by itself is a deployment without limits."""


class RouterModel(SequenceModel):
    """Sends each request to one of several deployments; if that fails, to another one.

    `fallback_on` and `mid_stream` are those of `FallbackModel`. A deployment that failed cools down for `cooldown`
    seconds, or for the time that its vendor names. If no deployment is free, a request waits up to `max_wait` seconds
    (default: 60, and 0 inside a `FallbackModel` with a next model, which is then tried at once); at most `max_queue`
    requests wait. Deployments share `timeout`: a deployment gets at most the part that leaves one for the next.
    With `hedge_after`, if a deployment has not started to respond after this number of seconds, the request is sent to
    a second one too. The first that starts to respond is used, the other is cancelled; `usage` has the tokens of both.
    `state_url` is the URL of a Redis (`redis://...`) that several processes share; `state_name` is its key prefix.
    """

    def __init__(
        self,
        deployments: Group,
        *,
        fallbacks: Sequence[Group] = (),
        strategy: Strategy = 'shuffle',
        fallback_on: FallbackOn | Sequence[FallbackOn] = (ModelAPIError,),
        mid_stream: MidStream = 'raise',
        cooldown: float = 30.0,
        max_wait: float | None = None,
        max_queue: int | None = None,
        hedge_after: float | None = None,
        state: RouterState | None = None,
        state_url: str | None = None,
        state_name: str = 'pydantic_llm:router',
        settings: RouterModelSettings | None = None,
    ) -> None:
        if not isinstance(cast('object', fallbacks), (list, tuple)):
            raise_wrong_type('fallbacks', 'a list of groups of deployments', fallbacks)
        self.groups: list[list[Deployment]] = [_build_group(each) for each in (deployments, *fallbacks)]
        """The deployments, by group, in the order in which groups are tried."""
        names = [deployment.name for deployment in self.deployments]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise UserError(f'Two deployments are called {twice!r}: give each a name= of its own')
        check_strategy(strategy, self.groups)
        if state is not None and state_url is not None:
            raise UserError('Give state= or state_url=, not both')
        check_number('cooldown', cooldown, least=0, required=True)
        check_number('max_wait', max_wait, least=0)
        check_number('hedge_after', hedge_after, above=0)
        if hedge_after is not None and len(names) == 1:
            raise UserError('hedge_after needs a second deployment to ask')
        super().__init__(fallback_on, mid_stream, settings)
        self.strategy: Strategy = strategy
        self.cooldown = cooldown
        self.max_wait = max_wait
        self.hedge_after = hedge_after
        self.state: RouterState = state or _build_state(state_url, state_name)
        self.queue: WaitQueue[Attempt] = WaitQueue(max_queue)

    @property
    def deployments(self) -> list[Deployment]:
        """The deployments of all groups, in order."""
        return [deployment for group in self.groups for deployment in group]

    @property
    def members(self) -> Sequence[Model]:
        return [deployment.built for deployment in self.deployments]

    @property
    def model_name(self) -> str:
        return f'router:{",".join(dict.fromkeys(model.model_name for model in self.members))}'

    @property
    def system(self) -> str:
        return f'router:{",".join(dict.fromkeys(model.system for model in self.members))}'

    @property
    def model_id(self) -> str:
        return f'router:{",".join(deployment.name for deployment in self.deployments)}'

    def new_sequence(self, request: SequenceRequest) -> ModelSequence:
        routing = Routing(
            self.model_id,
            self.model_name,
            self.system,
            self.groups,
            self.strategy,
            self.rules,
            self.mid_stream,
            self.cooldown,
            self.max_wait,
            self.hedge_after,
            self.state,
            self.queue,
        )
        return RouterSequence(routing, request)

    async def aclose(self) -> None:
        await super().aclose()
        await self.state.aclose()

    def __repr__(self) -> str:
        return f'RouterModel({[[deployment.name for deployment in group] for group in self.groups]})'


def _build_group(members: Group) -> list[Deployment]:
    if not isinstance(cast('object', members), (list, tuple)):
        raise UserError(f'A group of a RouterModel is a list of deployments, not {members!r}')
    if not members:
        raise UserError('A RouterModel needs at least one deployment in each group')
    return [each if isinstance(each, Deployment) else Deployment(each) for each in members]


def _build_state(url: str | None, name: str) -> RouterState:
    if url is None:
        return MemoryState()
    from .redis_state import RedisState

    return RedisState(url, prefix=name)
