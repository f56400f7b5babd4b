"""LiteLLM as a provider: whichever vendor it reaches, or a router over several. How it is called is in
`litellm_connection`, what its errors mean in `litellm_errors`.

Nothing here imports LiteLLM, which takes seconds: the first request does, in a thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from .._extras import check_extra
from .._threads import Once
from ..exceptions import UserError
from ..json_types import Json
from ..profiles import ModelProfile
from ..profiles.litellm import litellm_model_profile
from ..transport import Connection
from .credentials import check_key, hide_password
from .litellm_connection import LITELLM, LiteLLMConnection, make_router
from .provider import Provider

if TYPE_CHECKING:
    from litellm.router import Router

__all__ = ('LiteLLMProvider',)


OURS = frozenset({'model', 'messages', 'stream', 'stream_options', 'tools', 'tool_choice', 'acompletion'})
"""What a request says, and no option of a provider."""

RETRIES = frozenset({'num_retries', 'max_retries', 'retry_policy', 'retry_strategy'})
"""What would multiply with the retries of this library."""

ELSEWHERE = {
    'requests_per_minute': 'the rate is limited by a model around this one',
    'retry': 'the setting `retries` says how often a request is tried again',
}
"""What smolagents takes here."""

SECRETS = ('key', 'token', 'secret', 'password', 'credentials')
"""How the names of options end that nobody may see."""

SHORTEST_SECRET = 8
"""What is shorter is no secret, and would be found in harmless words."""


class LiteLLMProvider(Provider[Any]):
    """Whatever LiteLLM reaches. Its keys are found where LiteLLM finds them, or given.

    `api_key` and `api_base` say who asks, and where; any other option of `litellm.acompletion` can follow by name.
    `model_list` makes a `litellm.Router`, with `client_kwargs` for the router itself; `router` takes a ready one.
    Raises a `UserError` for options that cannot be used.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        api_base: str | None = None,
        model_list: Sequence[Mapping[str, Any]] | None = None,
        client_kwargs: Mapping[str, Any] | None = None,
        router: Router | None = None,
        **kwargs: Any,
    ) -> None:
        check_extra('litellm', what=type(self).__name__)
        _check_options(kwargs)
        self._api_base = None if api_base is None else _check_address(api_base)
        key = None if api_key is None else check_key(api_key, where='api_key=', provider=self.name)
        given = {'api_key': key, 'api_base': api_base}
        options = {**{name: value for name, value in given.items() if value is not None}, **kwargs}
        self._deployments = _deployments(model_list, client_kwargs, router)
        self._router: Once[Any] | None = None
        if router is not None:
            self._router = Once(lambda: router)
        elif self._deployments is not None:
            self._router = Once(partial(make_router, self._deployments, client_kwargs or {}))
        self._connection = LiteLLMConnection(
            options,
            self._router,
            provider_name=self.name,
            secrets=[*_secrets(options), *_secrets({'model_list': self._deployments})],
        )

    @property
    def name(self) -> str:
        """`'litellm'`."""
        return 'litellm'

    @property
    def base_url(self) -> str:
        """Where requests go, if that was said; `'litellm'` where LiteLLM knows."""
        return 'litellm' if self._api_base is None else hide_password(self._api_base)

    @property
    def client(self) -> Any:
        """The router, or the `litellm` package where there is none. Asking for it imports LiteLLM."""
        return (self._router or LITELLM).wait()

    @property
    def connection(self) -> Connection:
        """LiteLLM as a connection."""
        return self._connection

    def model_profile(self, model_name: str) -> ModelProfile | None:
        """What a model can do; that of the first deployment, for a group."""
        named = [item['litellm_params'] for item in self._deployments or () if item.get('model_name') == model_name]
        return litellm_model_profile(named[0]['model'] if named else model_name)


def _check_options(options: Mapping[str, Any]) -> None:
    for name in options:
        if name in OURS:
            raise UserError(f'{name}= is said by each request, and cannot be an option of LiteLLMProvider')
        if name in RETRIES:
            raise UserError(
                f'{name}= would multiply with the retries of this library: use the setting `retries`, or, for what a '
                'router shall do itself, client_kwargs='
            )
        if name in ELSEWHERE:
            raise UserError(f'{name}= is no option of LiteLLM: {ELSEWHERE[name]}')


def _check_address(url: str) -> str:
    if not url.startswith(('http://', 'https://')):
        raise UserError(
            f"api_base= of 'litellm' is {url!r}, which is no http address: write it like 'http://host:8000/v1'"
        )
    return url


def _deployments(
    model_list: Sequence[Mapping[str, Any]] | None, client_kwargs: Mapping[str, Any] | None, router: Router | None
) -> list[Json] | None:
    """What a router routes to; `None` where there is no router."""
    if router is not None:
        if model_list is not None or client_kwargs is not None:
            raise UserError(
                'router= brings its own deployments and options: give no model_list= or client_kwargs= beside it'
            )
        newer: Any = router  # a name of before 1.109 warns of being old
        return cast('list[Json]', newer.registry().all() if hasattr(router, 'registry') else newer.model_list)
    if model_list is None:
        if client_kwargs is not None:
            raise UserError('client_kwargs= are options of a router, which model_list= makes')
        return None
    if not model_list:
        raise UserError('model_list= is empty: give it at least one deployment')
    return [dict(item) for item in model_list]


def _secrets(value: Any, name: str = '') -> Iterator[str]:
    """The texts in options that nobody may see, by the names that they have."""
    if isinstance(value, Mapping):
        for key, item in cast('Mapping[str, Any]', value).items():
            yield from _secrets(item, str(key))
    elif isinstance(value, list | tuple):
        for item in cast('Sequence[Any]', value):
            yield from _secrets(item, name)
    elif isinstance(value, str) and name.lower().endswith(SECRETS) and len(value) >= SHORTEST_SECRET:
        yield value
