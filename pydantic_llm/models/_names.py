"""The prefixes of model strings, as data: `'openai:gpt-4o'` is a prefix, a colon and a model's name."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .._extras import import_extra
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
    'bedrock': Name('bedrock', 'BedrockConverseModel', 'bedrock', 'bedrock'),
    'cohere': Name('cohere', 'CohereModel', 'cohere', 'cohere'),
    'huggingface': Name('huggingface', 'HuggingFaceModel', 'huggingface', 'huggingface'),
    'google-gla': Name('gemini', 'GeminiModel', 'google-gla', None),
    'google-vertex': Name('gemini', 'GeminiModel', 'google-vertex', 'google'),
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
    ('claude', 'anthropic'),
    ('deepseek', 'deepseek'),
    ('command', 'cohere'),
    ('grok', 'grok'),
    ('sonar', 'perplexity'),
    ('kimi', 'moonshotai'),
    ('glm', 'zai'),
    ('llama', 'ollama'),
    ('qwen', 'ollama'),
)
"""Which prefix a model's name without one most likely wants."""

KnownModelName = Literal[
    'openai:gpt-5',
    'openai:gpt-5-mini',
    'openai:gpt-5-nano',
    'openai:gpt-4.1',
    'openai:gpt-4o',
    'openai:gpt-4o-mini',
    'openai:o3',
    'openai:o4-mini',
    'anthropic:claude-opus-4-6',
    'anthropic:claude-sonnet-4-6',
    'anthropic:claude-sonnet-4-5',
    'anthropic:claude-haiku-4-5',
    'deepseek:deepseek-chat',
    'cohere:command-a-plus-05-2026',
    'cohere:command-a-reasoning-08-2025',
    'cohere:command-a-03-2025',
    'cohere:command-r7b-12-2024',
    'deepseek:deepseek-reasoner',
    'ollama:llama3.2',
    'ollama:qwen3',
    'openrouter:anthropic/claude-sonnet-4.5',
    'grok:grok-4',
    'perplexity:sonar-pro',
    'moonshotai:kimi-k2.6',
    'zai:glm-4.7',
    'test',
]
"""Names that type checkers and editors complete. Any other name works as well."""


def build_model(text: str, options: dict[str, Any]) -> Model:
    """The model that a string names."""
    if text == 'test':
        from .test import TestModel

        return TestModel(**options)
    prefix, colon, model_name = text.partition(':')
    if not colon or not model_name:
        raise UserError(_no_prefix(text, prefix))
    name = _name(prefix)
    if name.extra:
        import_extra(name.extra, extra=name.extra, what=f'The prefix {prefix!r}')
    model: Callable[..., Model] = getattr(import_module(f'.{name.module}', __package__), name.model)
    provider = {} if name.provider is None else {'provider': name.provider}
    return model(model_name, **{**provider, **options})


def _name(prefix: str) -> Name:
    from ..providers.registry import ALIASES, SERVICES

    if prefix in NAMES:
        return NAMES[prefix]
    if (service := ALIASES.get(prefix, prefix)) in SERVICES:
        return Name('openai', 'OpenAIChatModel', service, 'openai')
    near = ' or '.join(repr(match) for match in get_close_matches(prefix, [*NAMES, *SERVICES, *ALIASES, 'test'], 2))
    known = ', '.join(sorted({*NAMES, *SERVICES}))
    raise UserError(f'There is no model prefix {prefix!r}; {f"did you mean {near}?" if near else f"known are {known}"}')


def _no_prefix(text: str, prefix: str) -> str:
    from ..providers.registry import ALIASES, SERVICES

    if prefix in NAMES or prefix in SERVICES or prefix in ALIASES:
        return f'{text!r} names no model: write {prefix + ":<model name>"!r}'
    guess = next((known for start, known in GUESSES if text.lower().startswith(start)), None)
    near = get_close_matches(text, ['test', *NAMES, *SERVICES], 1)
    hint = f'; did you mean {guess + ":" + text!r}?' if guess else f'; did you mean {near[0]!r}?' if near else ''
    return f"{text!r} is no model string: one has the form 'prefix:model name', as in 'openai:gpt-4o'{hint}"
