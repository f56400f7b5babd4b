"""The prefixes of model strings, as data: `'openai:gpt-5.4-mini'` is a prefix, a colon and a model's name.

`build_model` builds the model that a string names. Below it come the prefixes that other packages add, and last the
error messages for strings that name no model. The names that editors complete are in `known_names`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from .._extras import check_extra
from ..exceptions import UserError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from . import Model, ModelFactory


class Name(NamedTuple):
    """The class of models that a prefix refers to."""

    module: str
    """The module below `pydantic_llm.models`."""
    model: str
    """The name of the class in that module."""
    provider: str | None
    """The name of the provider; `None` for models in this process."""
    extra: str | None
    """The extra that must be installed, if there is one."""


NAMES: dict[str, Name] = {
    'openai': Name('openai', 'OpenAIChatModel', 'openai', None),
    'openai-chat': Name('openai', 'OpenAIChatModel', 'openai', None),
    'openai-responses': Name('openai', 'OpenAIResponsesModel', 'openai', None),
    'azure': Name('openai', 'OpenAIChatModel', 'azure', None),
    'azure-responses': Name('openai', 'OpenAIResponsesModel', 'azure', None),
    'anthropic': Name('anthropic', 'AnthropicModel', 'anthropic', None),
    'groq': Name('groq', 'GroqModel', 'groq', None),
    'mistral': Name('mistral', 'MistralModel', 'mistral', None),
    'bedrock': Name('bedrock', 'BedrockConverseModel', 'bedrock', 'bedrock'),
    'cohere': Name('cohere', 'CohereModel', 'cohere', None),
    'huggingface': Name('huggingface', 'HuggingFaceModel', 'huggingface', None),
    'litellm': Name('litellm', 'LiteLLMModel', 'litellm', 'litellm'),
    'google-gla': Name('gemini', 'GeminiModel', 'google-gla', None),
    'google-vertex': Name('gemini', 'GeminiModel', 'google-vertex', 'google'),
    'llamacpp-local': Name('llamacpp', 'LlamaCppModel', None, 'llamacpp'),
    'mlx': Name('mlx', 'MLXModel', None, 'mlx'),
    'transformers': Name('transformers', 'TransformersModel', None, 'transformers'),
    'vllm': Name('vllm', 'VLLMModel', None, 'vllm'),
}
"""The built-in prefixes. The name of every service of the registry is a prefix as well."""

ENTRY_POINT_GROUP = 'pydantic_llm.models'
"""The group of entry points by which an installed package declares prefixes: a prefix = a `ModelFactory`."""

LOADERS: dict[str, Callable[[], ModelFactory]] = {}
"""The registered prefixes, each with the function that returns its `ModelFactory`."""

SETTING_HOMES: dict[str, tuple[str, ...]] = {
    'anthropic_': ('anthropic.settings:AnthropicModelSettings',),
    'bedrock_': ('bedrock.settings:BedrockModelSettings',),
    'cohere_': ('cohere.settings:CohereModelSettings',),
    'gemini_': ('gemini.settings:GeminiModelSettings',),
    'google_': ('gemini.settings:GOOGLE_NAMES',),
    'groq_': ('groq.dialect:GroqModelSettings',),
    'huggingface_': ('huggingface.dialect:HuggingFaceModelSettings',),
    'litellm_': ('litellm.dialect:LiteLLMModelSettings',),
    'llamacpp_': ('llamacpp.settings:LlamaCppModelSettings',),
    'mistral_': ('mistral.dialect:MistralModelSettings',),
    'mlx_': ('mlx.settings:MLXModelSettings',),
    'openai_': (
        'openai.chat.settings:OpenAIChatModelSettings',
        'openai.responses.settings:OpenAIResponsesModelSettings',
    ),
    'openrouter_': ('openai.chat.services:OpenRouterModelSettings',),
    'response_cache_': ('cached.settings:CachedModelSettings',),
    'router_': ('router.model:RouterModelSettings',),
    'transformers_': ('transformers.settings:TransformersModelSettings',),
    'vllm_': ('vllm.settings:VLLMModelSettings',),
}
"""The beginnings of the names of vendors' own settings -> where they are declared, below `pydantic_llm.models`."""

GUESSES: tuple[tuple[str, str], ...] = (
    ('gpt', 'openai'),
    ('o1', 'openai'),
    ('o3', 'openai'),
    ('o4', 'openai'),
    ('chatgpt', 'openai'),
    ('claude', 'anthropic'),
    ('gemini', 'google-gla'),
    ('command', 'cohere'),
    ('compound', 'groq'),
    ('mistral', 'mistral'),
    ('ministral', 'mistral'),
    ('magistral', 'mistral'),
    ('codestral', 'mistral'),
    ('devstral', 'mistral'),
    ('pixtral', 'mistral'),
    ('voxtral', 'mistral'),
    ('deepseek', 'deepseek'),
    ('grok', 'grok'),
    ('sonar', 'perplexity'),
    ('kimi', 'moonshotai'),
    ('glm', 'zai'),
    ('llama', 'ollama'),
    ('qwen', 'ollama'),
)
"""The most likely prefix for a name without one, by the beginning of the name; the first match is used."""

TYPO_SIMILARITY = 0.9
"""The similarity to a known name, from 0 to 1, from which on a name is taken for a misspelling of it."""


# ---------------------------------------------------------------------- from a string to a model


def build_model(text: str, options: dict[str, Any]) -> Model:
    """Build the model that a string names, with `options` as keywords. Raises a `UserError` for an unknown prefix."""
    if text == 'test':
        from .test.model import TestModel

        return TestModel(**options)
    prefix, colon, model_name = text.partition(':')
    if not colon or not model_name:
        raise UserError(_describe_missing_prefix(text, prefix))
    if (name := find_prefix(prefix)) is None:
        return _build_registered(prefix, model_name, options)
    if name.extra:
        check_extra(name.extra, what=f'The prefix {prefix!r}')
    model: ModelFactory = getattr(import_module(f'.{name.module}', __package__), name.model)
    provider = {} if name.provider is None else {'provider': name.provider}
    return model(model_name, **{**provider, **options})


def find_prefix(prefix: str) -> Name | None:
    """Return the row of a prefix: a built-in one, or that of an OpenAI-compatible service, registered ones too."""
    if prefix in NAMES:
        return NAMES[prefix]
    from ..providers.registry import ALIASES, SERVICES

    known = ALIASES.get(prefix, prefix)
    return NAMES.get(known) or (Name('openai', 'OpenAIChatModel', known, None) if known in SERVICES else None)


# ---------------------------------------------------------------------- prefixes from other packages


def add_prefix(name: str, loader: Callable[[], ModelFactory]) -> None:
    """Register a prefix: see `register_model_prefix`."""
    from ..providers.registry import ALIASES, MODEL_PREFIXES, PROVIDERS, SERVICES, check_name

    if LOADERS.get(name) is loader:
        return
    check_name(name)
    if name in {*NAMES, *PROVIDERS, *SERVICES, *ALIASES, *MODEL_PREFIXES}:
        raise UserError(f'The model prefix {name!r} is taken: register another one')
    LOADERS[name] = loader
    MODEL_PREFIXES.add(name)


def _build_registered(prefix: str, model_name: str, options: dict[str, Any]) -> Model:
    """Build a model with the class or function of a registered prefix, or else of an entry point."""
    from . import Model

    factory: object = LOADERS[prefix]() if prefix in LOADERS else _load_entry_point(prefix, model_name)
    if not callable(factory):
        kind = type(factory).__name__
        raise UserError(f'The model prefix {prefix!r} has an object of type {kind!r} and no Model class or function')
    model = factory(model_name, **options)
    if not isinstance(model, Model):
        raise UserError(f'The model prefix {prefix!r} made an object of type {type(model).__name__!r} and no Model')
    return model


def _load_entry_point(prefix: str, model_name: str) -> object:
    """Import what the entry point with this name refers to. Raises a `UserError` if there is no such entry point."""
    points = [point for point in _find_entry_points() if point.name == prefix]
    packages = ' and '.join(repr(point.dist.name if point.dist else point.value) for point in points)
    match points:
        case []:
            raise UserError(_describe_unknown_prefix(prefix, model_name))
        case [point]:
            try:
                return point.load()
            except Exception as error:
                raise UserError(
                    f'The model prefix {prefix!r} of the package {packages} cannot be loaded from {point.value!r}: '
                    f'{type(error).__name__}: {error}'
                ) from error
        case _:
            raise UserError(f'The model prefix {prefix!r} is declared by several packages, {packages}: keep one')


def _find_entry_points() -> Iterable[EntryPoint]:
    """Return the entry points of all installed packages. Reads their metadata, which takes some milliseconds."""
    from importlib.metadata import entry_points

    return entry_points(group=ENTRY_POINT_GROUP)


# ---------------------------------------------------------------------- errors for strings that name no model


def _describe_unknown_prefix(prefix: str, model_name: str) -> str:
    from ..providers.registry import ALIASES, RETIRED, suggest_prefixes

    if prefix in RETIRED:
        return f'There is no model prefix {prefix!r}: {RETIRED[prefix]}'
    prefixes = _list_prefixes()
    near = suggest_prefixes(prefix, sorted({*prefixes, 'test'}))
    if not near and (known := _map_known_names().get(model_name)):
        near = repr(known)
    known = ', '.join(sorted(prefixes - ALIASES.keys()))
    return f'There is no model prefix {prefix!r}; {f"did you mean {near}?" if near else f"known are {known}"}'


def _list_prefixes() -> set[str]:
    """Return every prefix: built in, registered, and of installed packages."""
    from ..providers.registry import ALIASES, SERVICES

    return {*NAMES, *SERVICES, *ALIASES, *LOADERS, *(point.name for point in _find_entry_points())}


def _describe_missing_prefix(text: str, prefix: str) -> str:
    if prefix in _list_prefixes():
        return f'{text!r} names no model: write {prefix + ":<model name>"!r}'
    guess = _guess_model_string(text)
    hint = f'; did you mean {guess!r}?' if guess else ''
    return f"{text!r} is no model string: one has the form 'prefix:model name', as in 'openai:gpt-5.4-mini'{hint}"


def _guess_model_string(text: str) -> str | None:
    """Return the most likely model string for a text without a prefix, or `None` if the text is like no known name."""
    from ..providers.registry import PREFIX_SIMILARITY

    known = _map_known_names()
    prefix, _, rest = text.partition('/')
    if rest and (known.get(rest) == f'{prefix}:{rest}' or (prefix in _list_prefixes() and text not in known)):
        return f'{prefix}:{rest}'
    alike = [name for name in (text, text.lower()) if name in known]
    alike = alike or get_close_matches(text, known, 1, TYPO_SIMILARITY)
    if alike:
        return known[alike[0]]
    if guess := next((guess for start, guess in GUESSES if text.lower().startswith(start)), None):
        return f'{guess}:{text}'
    return next(iter(get_close_matches(text, ['test', *NAMES], 1, PREFIX_SIMILARITY)), None)


def nearest_name(provider: str, model_name: str) -> str | None:
    """Return the known name that an unknown one is most like: of the same provider, else a string with a prefix.

    `None` if the provider has a model of this name, or if none of the provider's names are known.
    """
    own = [name for prefix, name in _split_known_names() if _find_provider_name(prefix) == provider]
    if model_name in own or not own:
        return None
    alike = get_close_matches(model_name, own, 1, TYPO_SIMILARITY)
    return alike[0] if alike else _map_known_names().get(model_name)


def _map_known_names() -> dict[str, str]:
    """Return a dict from each known name without its prefix to the first model string that has it."""
    return {name: f'{prefix}:{name}' for prefix, name in reversed(_split_known_names())}


def _split_known_names() -> list[tuple[str, str]]:
    """Return the prefix and the model's name of each known model string."""
    from .known_names import KnownModelName

    texts: tuple[str, ...] = get_args(KnownModelName)
    return [(prefix, name) for prefix, _, name in (text.partition(':') for text in texts) if name]


def _find_provider_name(prefix: str) -> str | None:
    return NAMES[prefix].provider if prefix in NAMES else prefix
