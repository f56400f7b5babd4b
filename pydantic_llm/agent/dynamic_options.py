"""The options of a run that may be functions of the context: its model and its settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeGuard

from .._type_checks import check_settings_type
from ..exceptions import UserError
from ..messages import ModelMessage, ModelResponse
from ..models import Model, ModelRequestParameters, check_model
from ..settings import ModelSettings, merge_model_settings
from ..tools.context import RunContext
from ..tools.context_functions import ContextFunction

__all__ = (
    'ModelFunction',
    'SettingsFunction',
    'SettingsLayer',
    'UnchosenModel',
    'check_model_option',
    'check_settings_option',
    'is_function',
    'merge_fixed_settings',
    'parse_settings',
)

ModelFunction = Callable[[RunContext[Any]], Model | str | Awaitable[Model | str]]
"""A function that chooses the model of the next request, or its name."""

SettingsFunction = Callable[[RunContext[Any]], ModelSettings | Awaitable[ModelSettings | None] | None]
"""A function that returns the settings of the next request."""

SettingsLayer = ModelSettings | ContextFunction
"""Settings, or a function that returns them. A later layer is merged over the earlier ones."""


class UnchosenModel(Model):
    """The model in the context of the function that chooses the first one."""

    @property
    def model_name(self) -> str:
        return 'unchosen'

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        raise UserError('The function in model= has not chosen a model yet')


def is_function(value: object) -> TypeGuard[Callable[..., Any]]:
    """Return whether the value of an option is a function of the context."""
    return callable(value) and not isinstance(value, (Model, type))


def check_model_option(model: object) -> None:
    """Raise `UserError` unless `model` is a model, a name, or a function that can be called with a context."""
    if is_function(model):
        ContextFunction.of(model)
    else:
        check_model(model, parameter='model')


def check_settings_option(settings: object) -> None:
    """Raise `UserError` unless `model_settings` is a dict of settings, or a function that may return one."""
    if is_function(settings):
        ContextFunction.of(settings)
    else:
        check_settings_type(settings)


def parse_settings(*layers: ModelSettings | SettingsFunction | None) -> list[SettingsLayer]:
    """Return the layers that are not `None`, with functions as `ContextFunction`s."""
    return [ContextFunction.of(layer) if callable(layer) else layer for layer in layers if layer is not None]


def merge_fixed_settings(layers: Sequence[SettingsLayer]) -> ModelSettings | None:
    """Return the settings of the layers that are no functions."""
    settings: ModelSettings | None = None
    for layer in layers:
        settings = settings if isinstance(layer, ContextFunction) else merge_model_settings(settings, layer)
    return settings
