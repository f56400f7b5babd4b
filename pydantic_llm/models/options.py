"""The keywords of model objects: settings, and other names of parameters. Start at `read_options`.

`ModelOptions` are the keywords of every model, `ServerOptions` those of models behind an API. Engines add their own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from inspect import signature
from os import PathLike
from typing import TYPE_CHECKING, Any, cast

from .._type_checks import check_type
from ..exceptions import UserError
from ..settings import ModelSettings, merge_model_settings

if TYPE_CHECKING:
    from ..transport.called_keys import ApiKey

__all__ = ('GivenOptions', 'ModelOptions', 'ServerOptions', 'read_options', 'read_settings')


class ModelOptions(ModelSettings, total=False):
    """Keywords of every model object. Those of `ModelSettings` are settings of every request to it."""

    model_id: str | PathLike[str]
    """Another name of `model_name`."""
    custom_role_conversions: Mapping[str, str] | None
    """Roles to replace: `{'system': 'user'}` sends system prompts as messages of the user."""
    flatten_messages_as_text: bool | None
    """Send the content of each message as one string, to servers of Chat Completions that take no lists."""


class ServerOptions(ModelOptions, total=False):
    """Keywords of a model behind an API, which make its provider if `provider` is only a name."""

    base_url: str | None
    """The URL of the server."""
    api_base: str | None
    """Another name of `base_url`."""
    token: ApiKey | None
    """Another name of `api_key`."""


SMOLAGENTS_ROLES = {'tool-call': 'assistant', 'tool-response': 'tool'}
"""smolagents' names of roles -> the API's: https://huggingface.co/docs/smolagents/reference/models"""

OTHER_NAMES: Mapping[str, str] = {
    'dtype': 'torch_dtype',
    'grammar': 'constraint',
    'lora_path': 'adapter',
    'lora_scale': 'adapter_scale',
    'max_completion_tokens': 'max_tokens',
    'max_new_tokens': 'max_tokens',
    'max_output_tokens': 'max_tokens',
    'max_retries': 'retries',
    'model': 'model_name',
    'n_batch': 'prefill_tokens',
    'n_seq_max': 'max_batch_size',
    'num_retries': 'retries',
    'reasoning_effort': 'thinking',
    'stop': 'stop_sequences',
}
"""Names of options in other libraries -> the names here."""

HINTS: Mapping[str, str] = {
    'client_kwargs': 'give the provider a client (openai_client=, http_client=, ...), or write timeout= and retries=',
    'device': 'TransformersModel has it',
    'device_map': 'TransformersModel has it',
    'torch_dtype': 'TransformersModel has it',
    'messages': 'a request takes them: model_request_sync(model, messages)',
    'n': 'one request has one response: send several requests',
    'response_format': 'an agent requests it by output_type=',
    'stream': 'model_request_stream and run_stream stream',
    'tools': 'an agent takes them',
}
"""Options of other libraries -> where to find them here."""


@dataclass(slots=True)
class GivenOptions:
    """The options of a model object, each under its own name."""

    model_name: str
    settings: ModelSettings | None
    api_key: ApiKey | None = None
    base_url: str | None = None
    roles: Mapping[str, str] = field(default_factory=dict[str, str])
    """The roles to replace, by the names of Chat Completions."""
    flatten: bool | None = None


def read_options(
    model_type: type,
    options: Mapping[str, Any],
    *,
    model_name: str | PathLike[str] | None,
    settings: ModelSettings | None,
    api_key: ApiKey | None = None,
    own_settings: Iterable[str] = (),
    known: Collection[str] = (),
    provider: object = None,
) -> GivenOptions:
    """Return the options of a model object under their own names.

    `known` are options that are not read here, `own_settings` the settings of the vendor, and `provider` is the
    provider or the name of one, if the model has any. Raises `TypeError` for an unknown option, as Python does, with
    the option that was probably meant, and `UserError` if an option is given twice, or if the name is missing.
    """
    declared = ServerOptions if provider is not None else ModelOptions
    known = {*declared.__annotations__, *known, *own_settings}
    for name in options:
        if name not in known:
            raise TypeError(_describe_unknown(model_type, name, known, provider))
    check_type(options.get('flatten_messages_as_text'), bool, parameter='flatten_messages_as_text')
    settings_names = {*ModelSettings.__annotations__, *own_settings}
    name = _choose_one('model_name', model_name, 'model_id', options.get('model_id'))
    if name is None:
        raise UserError(f"model_name is missing: write {model_type.__name__}('the name of the model')")
    return GivenOptions(
        model_name=cast('str', name),
        settings=_add_keywords(settings, {name: value for name, value in options.items() if name in settings_names}),
        api_key=_choose_one('api_key', api_key, 'token', options.get('token')),
        base_url=_choose_one('base_url', options.get('base_url'), 'api_base', options.get('api_base')),
        roles=_read_roles(options.get('custom_role_conversions')),
        flatten=options.get('flatten_messages_as_text'),
    )


def read_settings(model_type: type, options: Mapping[str, Any], settings: ModelSettings | None) -> ModelSettings | None:
    """Return the settings of a model that takes them as keywords too, and no other options.

    Raises the errors of `read_options`.
    """
    for name in options:
        if name not in ModelSettings.__annotations__:
            raise TypeError(_describe_unknown(model_type, name, ModelSettings.__annotations__, None))
    return _add_keywords(settings, options)


def _add_keywords(settings: ModelSettings | None, keywords: Mapping[str, Any]) -> ModelSettings | None:
    if not keywords:
        return settings
    if isinstance(settings, Mapping) and (twice := keywords.keys() & settings.keys()):
        raise UserError(f'{min(twice)} is given twice: as a keyword and in settings=')
    return merge_model_settings(settings, cast('ModelSettings', keywords))


def _choose_one(name: str, value: Any, other_name: str, other: Any) -> Any:
    if value is not None and other is not None:
        raise UserError(f'{name} and {other_name} are two names of one option: give one of them')
    return other if value is None else value


def _read_roles(conversions: object) -> Mapping[str, str]:
    """Return the conversions of roles by the names of Chat Completions."""
    if conversions is None:
        return {}
    if not isinstance(conversions, Mapping) or not all(
        isinstance(role, str) for pair in cast('Mapping[object, object]', conversions).items() for role in pair
    ):
        raise UserError(f"custom_role_conversions is {conversions!r}: give a dict such as {{'system': 'user'}}")
    pairs = cast('Mapping[str, str]', conversions)
    return {SMOLAGENTS_ROLES.get(old, old): SMOLAGENTS_ROLES.get(new, new) for old, new in pairs.items()}


def _describe_unknown(model_type: type, name: str, options: Collection[str], provider: object) -> str:
    """Return the message for an unknown option."""
    kind = _find_class(provider)
    if name in HINTS:
        hint = f'; {HINTS[name]}'
    elif kind is not None and name in signature(kind).parameters:
        hint = f'; it is an option of the provider: provider={kind.__name__}({name}=...)'
    else:
        known = {*options, *signature(model_type).parameters} - {'options', 'kwargs'}
        meant = [OTHER_NAMES[name]] if OTHER_NAMES.get(name) in known else get_close_matches(name, sorted(known), 1)
        hint = f'; did you mean {meant[0]}=?' if meant else ''
    return f'{model_type.__name__}() got an unexpected keyword argument {name!r}{hint}'


def _find_class(provider: object) -> type | None:
    """Return the class of a provider, which may be given by its name, or `None`."""
    if not isinstance(provider, str):
        return None if provider is None else type(provider)
    from ..providers import infer_provider_class

    with suppress(UserError):
        return infer_provider_class(provider)
    return None
