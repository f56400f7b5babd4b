"""The provider of LiteLLM: every vendor that it supports, or one of its routers over several deployments.

`litellm_connection` calls LiteLLM, `litellm_errors` translates its errors. Importing LiteLLM takes seconds: the first
request imports it, in a thread.
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
from ..transport.called_keys import ApiKey
from .credentials import check_key, hide_password, make_called_key
from .litellm_connection import LITELLM, LiteLLMConnection, make_router
from .provider import Provider

if TYPE_CHECKING:
    from litellm.router import Router

__all__ = ('LiteLLMProvider',)


REQUEST_FIELDS = frozenset({'model', 'messages', 'stream', 'stream_options', 'tools', 'tool_choice', 'acompletion'})
"""Arguments of `acompletion` that each request sets, and that no provider may set."""

RETRIES = frozenset({'num_retries', 'max_retries', 'retry_policy', 'retry_strategy'})
"""Options whose retries would multiply with those of this library."""

REPLACED_OPTIONS = {
    'requests_per_minute': 'the rate is limited by a model around this one',
    'retry': 'the setting `retries` says how often a request is tried again',
}
"""Options of smolagents' `LiteLLMModel`, each with what replaces it."""

SECRET_NAMES = ('key', 'token', 'secret', 'password', 'credentials')
"""The ends of the names of options whose values are secret."""

SHORTEST_SECRET = 8
"""The minimum length of a secret. A shorter value would be found in harmless words."""


class LiteLLMProvider(Provider[Any]):
    """Every vendor that LiteLLM supports, with keys that you give or that LiteLLM finds itself.

    `api_key`, `api_base` and all further keywords are options of `litellm.acompletion`. `model_list` makes a
    `litellm.Router`, with `client_kwargs` as the router's own options; `router` takes a ready one. Raises a `UserError`
    for invalid options.
    """

    url_parameter = 'api_base'

    def __init__(
        self,
        *,
        api_key: ApiKey | None = None,
        api_base: str | None = None,
        model_list: Sequence[Mapping[str, Any]] | None = None,
        client_kwargs: Mapping[str, Any] | None = None,
        router: Router | None = None,
        **kwargs: Any,
    ) -> None:
        check_extra('litellm', what=type(self).__name__)
        _check_options(kwargs)
        self._api_base = None if api_base is None else _check_url(api_base)
        key = None if api_key is None or callable(api_key) else check_key(api_key, where='api_key=', provider=self.name)
        called = make_called_key(api_key, provider=self.name) if callable(api_key) else None
        given = {'api_key': key, 'api_base': api_base}
        options = {**{name: value for name, value in given.items() if value is not None}, **kwargs}
        self._deployments = _list_deployments(model_list, client_kwargs, router)
        self._router: Once[Any] | None = None
        if router is not None:
            self._router = Once(lambda: router)
        elif self._deployments is not None:
            self._router = Once(partial(make_router, self._deployments, client_kwargs or {}))
        self._connection = LiteLLMConnection(
            options,
            self._router,
            provider_name=self.name,
            key=called,
            secrets=[*_find_secrets(options), *_find_secrets({'model_list': self._deployments})],
        )

    @property
    def name(self) -> str:
        return 'litellm'

    @property
    def base_url(self) -> str:
        """The `api_base` that was given; `'litellm'` if LiteLLM chooses the URL."""
        return 'litellm' if self._api_base is None else hide_password(self._api_base)

    @property
    def client(self) -> Any:
        """The router if there is one, else the `litellm` package. Reading it imports LiteLLM."""
        return (self._router or LITELLM).wait()

    def model_profile(self, model_name: str) -> ModelProfile | None:
        """Return the profile of a model, or that of the first deployment of a router's group."""
        named = [item['litellm_params'] for item in self._deployments or () if item.get('model_name') == model_name]
        return litellm_model_profile(named[0]['model'] if named else model_name)


def _check_options(options: Mapping[str, Any]) -> None:
    for name in options:
        if name in REQUEST_FIELDS:
            raise UserError(f'{name}= is set by each request, and cannot be an option of LiteLLMProvider')
        if name in RETRIES:
            raise UserError(
                f'{name}= would multiply with the retries of this library: use the setting `retries`, or, for what a '
                'router shall do itself, client_kwargs='
            )
        if name in REPLACED_OPTIONS:
            raise UserError(f'{name}= is no option of LiteLLM: {REPLACED_OPTIONS[name]}')


def _check_url(url: str) -> str:
    if not url.startswith(('http://', 'https://')):
        raise UserError(
            f"api_base= of 'litellm' is {url!r}, which is not a valid URL: write it like 'http://host:8000/v1'"
        )
    return url


def _list_deployments(
    model_list: Sequence[Mapping[str, Any]] | None, client_kwargs: Mapping[str, Any] | None, router: Router | None
) -> list[Json] | None:
    """Return the deployments of the router, or `None` if there is no router."""
    if router is not None:
        if model_list is not None or client_kwargs is not None:
            raise UserError(
                'router= brings its own deployments and options: give no model_list= or client_kwargs= with it'
            )
        untyped: Any = router  # `model_list` raises a DeprecationWarning from litellm 1.109 on
        return cast('list[Json]', untyped.registry().all() if hasattr(router, 'registry') else untyped.model_list)
    if model_list is None:
        if client_kwargs is not None:
            raise UserError('client_kwargs= are options of a router, which model_list= makes')
        return None
    if not model_list:
        raise UserError('model_list= is empty: give it at least one deployment')
    return [dict(item) for item in model_list]


def _find_secrets(value: Any, name: str = '') -> Iterator[str]:
    """Yield the values of options, at any depth, whose names are those of secrets."""
    if isinstance(value, Mapping):
        for key, item in cast('Mapping[str, Any]', value).items():
            yield from _find_secrets(item, str(key))
    elif isinstance(value, list | tuple):
        for item in cast('Sequence[Any]', value):
            yield from _find_secrets(item, name)
    elif isinstance(value, str) and name.lower().endswith(SECRET_NAMES) and len(value) >= SHORTEST_SECRET:
        yield value
