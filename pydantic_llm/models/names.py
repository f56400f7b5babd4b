"""The prefixes of model strings, as data: `'openai:gpt-4o'` is a prefix, a colon and a model's name.

`build_model` makes the model that a string names; what was probably meant by one that names none is found out below it.
The names that editors complete are in `_known`.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from .._extras import check_extra
from ..exceptions import UserError

if TYPE_CHECKING:
    from . import Model


class Name(NamedTuple):
    """What a prefix stands for."""

    module: str
    """The module below `pydantic_llm.models`."""
    model: str
    """The class in it."""
    provider: str | None
    """The name of the provider; `None` for models in this process."""
    extra: str | None
    """The extra to install; `None` where none is needed."""


NAMES: dict[str, Name] = {
    'openai': Name('openai', 'OpenAIChatModel', 'openai', 'openai'),
    'openai-chat': Name('openai', 'OpenAIChatModel', 'openai', 'openai'),
    'openai-responses': Name('openai', 'OpenAIResponsesModel', 'openai', 'openai'),
    'azure': Name('openai', 'OpenAIChatModel', 'azure', 'openai'),
    'azure-responses': Name('openai', 'OpenAIResponsesModel', 'azure', 'openai'),
    'anthropic': Name('anthropic', 'AnthropicModel', 'anthropic', 'anthropic'),
    'groq': Name('groq', 'GroqModel', 'groq', 'groq'),
    'mistral': Name('mistral', 'MistralModel', 'mistral', 'mistral'),
    'bedrock': Name('bedrock', 'BedrockConverseModel', 'bedrock', 'bedrock'),
    'cohere': Name('cohere', 'CohereModel', 'cohere', 'cohere'),
    'huggingface': Name('huggingface', 'HuggingFaceModel', 'huggingface', 'huggingface'),
    'litellm': Name('litellm', 'LiteLLMModel', 'litellm', 'litellm'),
    'google-gla': Name('gemini', 'GeminiModel', 'google-gla', None),
    'google-vertex': Name('gemini', 'GeminiModel', 'google-vertex', 'google'),
    'mlx': Name('mlx', 'MLXModel', None, 'mlx'),
    'transformers': Name('transformers', 'TransformersModel', None, 'transformers'),
    'vllm': Name('vllm', 'VLLMModel', None, 'vllm'),
}
"""The prefixes of rooms. Every service of the registry is one as well."""

SETTING_PREFIXES = (
    'anthropic_',
    'azure_',
    'bedrock_',
    'cohere_',
    'gemini_',
    'google_',
    'groq_',
    'huggingface_',
    'litellm_',
    'mistral_',
    'mlx_',
    'openai_',
    'openrouter_',
    'transformers_',
    'vllm_',
)
"""What the names of vendors' own settings begin with; a room ignores those of others."""

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
"""Which prefix a model's name without one most likely wants."""

ALIKE = 0.9
"""How like a known name another one must be to be taken for a slip of the fingers, from 0 to 1."""


def build_model(text: str, options: dict[str, Any]) -> Model:
    """The model that a string names."""
    if text == 'test':
        from .test.model import TestModel

        return TestModel(**options)
    prefix, colon, model_name = text.partition(':')
    if not colon or not model_name:
        raise UserError(_no_prefix(text, prefix))
    name = _name(prefix, model_name)
    if name.extra:
        check_extra(name.extra, what=f'The prefix {prefix!r}')
    model: Callable[..., Model] = getattr(import_module(f'.{name.module}', __package__), name.model)
    provider = {} if name.provider is None else {'provider': name.provider}
    return model(model_name, **{**provider, **options})


def _name(prefix: str, model_name: str) -> Name:
    from ..providers.registry import ALIASES, SERVICES

    if prefix in NAMES:
        return NAMES[prefix]
    if (service := ALIASES.get(prefix, prefix)) in SERVICES:
        return Name('openai', 'OpenAIChatModel', service, 'openai')
    near = ' or '.join(repr(match) for match in get_close_matches(prefix, [*NAMES, *SERVICES, *ALIASES, 'test'], 2))
    if not near and (known := _known_names().get(model_name)):
        near = repr(known)
    known = ', '.join(sorted({*NAMES, *SERVICES}))
    raise UserError(f'There is no model prefix {prefix!r}; {f"did you mean {near}?" if near else f"known are {known}"}')


# ---------------------------------------------------------------------- what was meant


def _no_prefix(text: str, prefix: str) -> str:
    if _is_prefix(prefix):
        return f'{text!r} names no model: write {prefix + ":<model name>"!r}'
    meant = _meant(text)
    hint = f'; did you mean {meant!r}?' if meant else ''
    return f"{text!r} is no model string: one has the form 'prefix:model name', as in 'openai:gpt-4o'{hint}"


def _meant(text: str) -> str | None:
    """The model string that is most likely meant by one without a prefix."""
    known = _known_names()
    prefix, _, rest = text.partition('/')
    if rest and (known.get(rest) == f'{prefix}:{rest}' or (_is_prefix(prefix) and text not in known)):
        return f'{prefix}:{rest}'
    alike = [name for name in (text, text.lower()) if name in known] or get_close_matches(text, known, 1, ALIKE)
    if alike:
        return known[alike[0]]
    if guess := next((guess for start, guess in GUESSES if text.lower().startswith(start)), None):
        return f'{guess}:{text}'
    return next(iter(get_close_matches(text, ['test', *NAMES], 1)), None)


def nearest_name(provider: str, model_name: str) -> str | None:
    """What may be meant by a name that a provider does not know: another one of its own, or one of somebody else's.

    `None` where it is known, or where nothing is known of the provider's names.
    """
    own = [name for prefix, name in _known_pairs() if _provider_of(prefix) == provider]
    if model_name in own or not own:
        return None
    alike = get_close_matches(model_name, own, 1, ALIKE)
    return alike[0] if alike else _known_names().get(model_name)


def _known_names() -> dict[str, str]:
    """The known names without their prefix, and with the first prefix that has them."""
    return {name: f'{prefix}:{name}' for prefix, name in reversed(_known_pairs())}


def _known_pairs() -> list[tuple[str, str]]:
    """The prefix and the rest of each known name."""
    from .known_names import KnownModelName

    texts: tuple[str, ...] = get_args(KnownModelName)
    return [(prefix, name) for prefix, _, name in (text.partition(':') for text in texts) if name]


def _is_prefix(text: str) -> bool:
    from ..providers.registry import ALIASES, SERVICES

    return text in NAMES or text in SERVICES or text in ALIASES


def _provider_of(prefix: str) -> str | None:
    return NAMES[prefix].provider if prefix in NAMES else prefix
