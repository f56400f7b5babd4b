"""Providers: where requests go and with which credentials. A fact that changes with the URL or the key belongs here.

A provider makes the client of the vendor's own package, or takes yours. `provider` has the base class, `registry` one
row for each OpenAI-compatible service, `credentials` the checks that all providers share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from .._type_checks import raise_wrong_type
from ..exceptions import UserError
from ..transport.called_keys import ApiKey
from .credentials import check_http_client, check_key, check_url, hide_password, read_key
from .provider import Provider

if TYPE_CHECKING:
    from .registry import Service, register_service

__all__ = (
    'ApiKey',
    'Provider',
    'Service',
    'check_http_client',
    'check_key',
    'check_url',
    'choose_provider',
    'hide_password',
    'infer_provider',
    'infer_provider_class',
    'read_key',
    'register_service',
)


def infer_provider_class(name: str) -> type[Provider[Any]]:
    """Return the class of the provider with this name. Raises `UserError` with the nearest names if it is unknown."""
    from .registry import provider_class

    return provider_class(name)


def choose_provider(
    provider: Provider[Any] | str, api_key: ApiKey | None = None, base_url: str | None = None
) -> Provider[Any]:
    """Return the provider, made with the key and the URL if only its name is given. A ready provider takes neither."""
    if not isinstance(provider, Provider):
        if not isinstance(cast('object', provider), str):
            raise_wrong_type('provider', "a Provider or a name such as 'openai'", provider)
        kind = infer_provider_class(provider)
        given = {'api_key': api_key, kind.url_parameter: base_url}
        return kind(**{name: value for name, value in given.items() if value is not None})
    if api_key is not None:
        raise UserError('api_key= and a ready provider= do not go together: give the key to the provider')
    if base_url is not None:
        raise UserError('base_url= and a ready provider= do not go together: give the URL to the provider')
    return provider


def infer_provider(name: str) -> Provider[Any]:
    """Return the provider with this name, with its key from the environment."""
    return infer_provider_class(name)()


def __getattr__(name: str) -> Any:
    """Import the registry, which imports the profiles of all services, when one of its names is first used."""
    if name in ('Service', 'register_service'):
        from . import registry

        return getattr(registry, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
