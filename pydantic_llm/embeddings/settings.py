"""`EmbeddingSettings`: the settings that embedding models share, and how two layers of settings are merged."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypedDict, cast

from .._checks import check_number
from .._setting_checks import check_settings, make_shared_checks, own_checks
from .._suggestions import suggest_or_list
from .._type_checks import check_settings_type
from ..exceptions import UserError
from ..retries.policy import RetryPolicy

__all__ = ('EmbeddingSettings', 'check_embedding_settings', 'merge_embedding_settings')

VENDOR_PREFIXES = (
    *('bedrock_', 'cohere_', 'google_', 'huggingface_', 'mistral_', 'openai_', 'sentence_transformers_', 'voyageai_'),
)
"""The first characters of the settings of one vendor. Models of other vendors ignore them."""


class EmbeddingSettings(TypedDict, total=False):
    """Settings of embedding models. A model that lacks one lists it in `EmbeddingResult.warnings`."""

    dimensions: int
    """The number of dimensions of each embedding. OpenAI, Cohere, Google, Bedrock, Mistral."""

    truncate: bool
    """True to embed the beginning of a text that is too long; by default such a text is an error.

    Cohere, Google (Vertex AI), Hugging Face, and Bedrock's models of Cohere and Nova.
    """

    max_concurrency: int
    """The maximum number of HTTP requests at the same time. Default: 4. Many texts need several requests."""

    timeout: float
    """The maximum number of seconds for all requests of a call together."""

    retries: int | RetryPolicy
    """The number of retries of each HTTP request, or a policy."""

    extra_headers: dict[str, str]
    """Headers of each HTTP request, in addition to those of the provider."""

    extra_body: dict[str, Any]
    """Fields of the body of each HTTP request. They replace fields of the same name."""

    unsupported_settings: Literal['warn', 'error', 'drop']
    """What happens with a setting that the model lacks: a warning in the result (the default), an error, or nothing."""


def merge_embedding_settings(
    base: EmbeddingSettings | None, overrides: EmbeddingSettings | None
) -> EmbeddingSettings | None:
    """Return both settings merged: `overrides` wins. A setting of `None` takes that of `base` back."""
    check_settings_type(base, parameter='settings')
    check_settings_type(overrides, parameter='settings')
    if base is None or overrides is None:
        return overrides if base is None else base
    return {**base, **overrides}


def check_embedding_settings(settings: Mapping[str, Any], own_type: type) -> None:
    """Raise `UserError` for an unknown setting, and for the first invalid value.

    `own_type` is the `TypedDict` of the model's settings.
    """
    known = _find_names(own_type)
    foreign = tuple(prefix for prefix in VENDOR_PREFIXES if not any(name.startswith(prefix) for name in known))
    for name in settings:
        if name not in known and not str(name).startswith(foreign):
            hint = suggest_or_list(name, sorted(known))
            raise UserError(f'There is no setting {name!r} of embedding models{hint}')
    shared = make_shared_checks()
    check_settings(settings, {name: shared[name] for name in settings if name in SHARED_WITH_MODELS})
    check_settings(settings, own_checks(EmbeddingSettings))
    check_settings(settings, own_checks(own_type))
    check_number('dimensions', settings.get('dimensions'), least=1, whole=True)
    check_number('max_concurrency', settings.get('max_concurrency'), least=1, whole=True)


SHARED_WITH_MODELS = frozenset({'timeout', 'retries', 'extra_headers', 'extra_body', 'unsupported_settings'})
"""The settings that language models have too."""


@cache
def _find_names(own_type: type) -> frozenset[str]:
    return frozenset(cast('Any', own_type).__annotations__) | frozenset(EmbeddingSettings.__annotations__)
