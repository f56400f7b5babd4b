"""The names of models and of providers that type checkers and editors complete for each class of models.

The models are those of `known_names`, without their prefixes; any other name works as well. The module is imported only
on demand: by type checkers, and for its types.
"""

from __future__ import annotations

from typing import Literal

__all__ = (
    'AnthropicModelName',
    'BedrockModelName',
    'CohereModelName',
    'GeminiModelName',
    'GoogleProviderName',
    'GroqModelName',
    'HuggingFaceModelName',
    'MistralModelName',
    'OpenAIModelName',
    'OpenAIProviderName',
)

AnthropicModelName = (
    Literal[
        'claude-fable-5-2',
        'claude-fable-5-1',
        'claude-fable-5',
        'claude-opus-5-5',
        'claude-opus-5',
        'claude-opus-4-8',
        'claude-opus-4-7',
        'claude-opus-4-6',
        'claude-opus-4-5',
        'claude-opus-4-5-20251101',
        'claude-sonnet-5-5',
        'claude-sonnet-5',
        'claude-sonnet-4-6',
        'claude-sonnet-4-5',
        'claude-sonnet-4-5-20250929',
        'claude-haiku-5-5',
        'claude-haiku-4-5',
        'claude-haiku-4-5-20251001',
        'claude-mythos-5-2',
        'claude-mythos-5-1',
        'claude-mythos-5',
    ]
    | str
)
"""Anthropic's models, and any other name."""

BedrockModelName = (
    Literal[
        'anthropic.claude-opus-5-5',
        'anthropic.claude-opus-5',
        'anthropic.claude-sonnet-5-5',
        'anthropic.claude-sonnet-5',
        'anthropic.claude-sonnet-4-6',
        'anthropic.claude-sonnet-4-5-20250929-v1:0',
        'anthropic.claude-haiku-5-5',
        'anthropic.claude-haiku-4-5-20251001-v1:0',
        'global.anthropic.claude-opus-5-5',
        'global.anthropic.claude-opus-5',
        'global.anthropic.claude-opus-4-8',
        'global.anthropic.claude-sonnet-5-5',
        'global.anthropic.claude-sonnet-5',
        'global.anthropic.claude-sonnet-4-6',
        'global.anthropic.claude-sonnet-4-5-20250929-v1:0',
        'global.anthropic.claude-haiku-5-5',
        'global.anthropic.claude-haiku-4-5-20251001-v1:0',
        'us.anthropic.claude-opus-5-5',
        'us.anthropic.claude-sonnet-5-5',
        'us.anthropic.claude-sonnet-4-6',
        'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
        'us.anthropic.claude-haiku-5-5',
        'us.anthropic.claude-haiku-4-5-20251001-v1:0',
        'eu.anthropic.claude-opus-5-5',
        'eu.anthropic.claude-sonnet-5-5',
        'eu.anthropic.claude-sonnet-4-6',
        'eu.anthropic.claude-sonnet-4-5-20250929-v1:0',
        'eu.anthropic.claude-haiku-5-5',
        'amazon.nova-2-lite-v1:0',
        'amazon.nova-premier-v1:0',
        'amazon.nova-pro-v1:0',
        'amazon.nova-lite-v1:0',
        'amazon.nova-micro-v1:0',
        'us.amazon.nova-2-lite-v1:0',
        'global.amazon.nova-2-lite-v1:0',
        'us.amazon.nova-pro-v1:0',
        'us.amazon.nova-lite-v1:0',
        'us.amazon.nova-micro-v1:0',
        'global.openai.gpt-6.1-sol',
        'global.openai.gpt-6-astra',
        'global.openai.gpt-6-sol',
        'global.openai.gpt-6-luna',
        'global.openai.gpt-5.6-sol',
        'openai.gpt-oss-120b-1:0',
        'openai.gpt-oss-20b-1:0',
        'deepseek.v3.2',
        'us.deepseek.r1-v1:0',
        'global.moonshotai.kimi-k3',
        'global.zai.glm-5.3',
        'global.xai.grok-4.7',
        'qwen.qwen3-235b-a22b-2507-v1:0',
        'qwen.qwen3-32b-v1:0',
        'qwen.qwen3-coder-480b-a35b-v1:0',
        'meta.llama4-maverick-17b-instruct-v1:0',
        'meta.llama4-scout-17b-instruct-v1:0',
        'meta.llama3-3-70b-instruct-v1:0',
        'us.meta.llama4-maverick-17b-instruct-v1:0',
        'us.meta.llama3-3-70b-instruct-v1:0',
        'mistral.mistral-large-3-675b-instruct',
        'mistral.magistral-small-2509',
        'mistral.ministral-3-14b-instruct',
        'us.mistral.pixtral-large-2502-v1:0',
        'us.writer.palmyra-x5-v1:0',
    ]
    | str
)
"""Bedrock's models, and any other id, inference profile or ARN."""

CohereModelName = (
    Literal[
        'command-a-plus-05-2026',
        'command-a-reasoning-08-2025',
        'command-a-vision-07-2025',
        'command-a-03-2025',
        'command-r-plus-08-2024',
        'command-r-08-2024',
        'command-r7b-12-2024',
        'c4ai-aya-expanse-32b',
    ]
    | str
)
"""Cohere's models, and any other name."""

GeminiModelName = (
    Literal[
        'gemini-4-argon',
        'gemini-3.8-flash',
        'gemini-3.7-flash',
        'gemini-3.6-flash',
        'gemini-3.5-flash',
        'gemini-3.5-flash-lite',
        'gemini-3.1-pro-preview',
        'gemini-3.1-flash-lite',
        'gemini-3-flash-preview',
        'gemini-2.5-pro',
        'gemini-2.5-flash',
        'gemini-2.5-flash-lite',
        'gemini-2.5-flash-image',
        'gemini-pro-latest',
        'gemini-flash-latest',
        'gemini-flash-lite-latest',
        'gemma-4-31b-it',
        'gemma-4-26b-a4b-it',
    ]
    | str
)
"""Google's models, and any other name."""

GroqModelName = (
    Literal[
        'openai/gpt-oss-120b',
        'openai/gpt-oss-20b',
        'qwen/qwen3.8-27b',
        'qwen/qwen3.6-27b',
        'qwen/qwen3-32b',
        'llama-3.3-70b-versatile',
        'llama-3.1-8b-instant',
        'meta-llama/llama-4-maverick-17b-128e-instruct',
        'meta-llama/llama-4-scout-17b-16e-instruct',
        'moonshotai/kimi-k2-instruct',
        'compound-beta',
        'compound-beta-mini',
    ]
    | str
)
"""Groq's models, and any other name."""

HuggingFaceModelName = (
    Literal[
        'openai/gpt-oss-120b',
        'openai/gpt-oss-20b',
        'Qwen/Qwen3.8-27B',
        'Qwen/Qwen3.5-397B-A17B',
        'Qwen/Qwen3-235B-A22B-Instruct-2507',
        'Qwen/Qwen3-235B-A22B',
        'Qwen/Qwen3-32B',
        'Qwen/Qwen3-Coder-480B-A35B-Instruct',
        'Qwen/Qwen3-Next-80B-A3B-Instruct',
        'deepseek-ai/DeepSeek-V4.1-Flash',
        'deepseek-ai/DeepSeek-V4-Pro-0813',
        'deepseek-ai/DeepSeek-V3.2',
        'deepseek-ai/DeepSeek-R1',
        'moonshotai/Kimi-K3',
        'moonshotai/Kimi-K2.6',
        'zai-org/GLM-5.3',
        'zai-org/GLM-4.7',
        'MiniMaxAI/MiniMax-M3',
        'google/gemma-4-31B-it',
        'meta-llama/Llama-3.3-70B-Instruct',
        'meta-llama/Llama-3.1-8B-Instruct',
        'meta-llama/Llama-4-Scout-17B-16E-Instruct',
    ]
    | str
)
"""Models of the Hugging Face Hub, and any other name there or URL."""

MistralModelName = (
    Literal[
        'mistral-large-latest',
        'mistral-large-4',
        'mistral-large-2512',
        'mistral-medium-latest',
        'mistral-medium-3-5',
        'mistral-small-latest',
        'mistral-small-2603',
        'magistral-medium-latest',
        'magistral-small-latest',
        'ministral-14b-latest',
        'ministral-8b-latest',
        'ministral-3b-latest',
        'codestral-latest',
        'devstral-latest',
        'devstral-medium-latest',
        'devstral-small-latest',
        'pixtral-large-latest',
        'voxtral-small-latest',
        'open-mistral-nemo',
    ]
    | str
)
"""Mistral's models, and any other name."""

OpenAIModelName = (
    Literal[
        'gpt-6.2-astra',
        'gpt-6.2-sol',
        'gpt-6.1-sol',
        'gpt-6.1-terra',
        'gpt-6-astra',
        'gpt-6-sol',
        'gpt-6-luna',
        'gpt-5.6-sol',
        'gpt-5.6-terra',
        'gpt-5.6-luna',
        'gpt-5.5',
        'gpt-5.5-2026-04-23',
        'gpt-5.4',
        'gpt-5.4-mini',
        'gpt-5.4-mini-2026-03-17',
        'gpt-5.4-nano',
        'gpt-5.4-nano-2026-03-17',
        'gpt-5.2',
        'gpt-5.2-2025-12-11',
        'gpt-5.1',
        'gpt-5.1-2025-11-13',
        'gpt-5',
        'gpt-5-2025-08-07',
        'gpt-5-mini',
        'gpt-5-mini-2025-08-07',
        'gpt-5-nano',
        'gpt-5-nano-2025-08-07',
        'gpt-4.1',
        'gpt-4.1-2025-04-14',
        'gpt-4.1-mini',
        'gpt-4.1-mini-2025-04-14',
        'gpt-4o',
        'gpt-4o-2024-11-20',
        'gpt-4o-2024-08-06',
        'gpt-4o-mini',
        'gpt-4o-mini-2024-07-18',
        'o3',
        'o3-2025-04-16',
        'gpt-4o-search-preview',
        'gpt-4o-mini-search-preview',
        'gpt-audio-mini',
        'gpt-audio-mini-2025-12-15',
        'gpt-5.5-pro',
        'gpt-5.5-pro-2026-04-23',
        'gpt-5.4-pro',
        'gpt-5.3-codex',
        'gpt-5.2-pro',
        'gpt-5.2-pro-2025-12-11',
        'gpt-5-pro',
        'gpt-5-pro-2025-10-06',
        'o3-pro',
        'o3-pro-2025-06-10',
    ]
    | str
)
"""OpenAI's models, and any name of another server."""

GoogleProviderName = Literal['google-gla', 'google-vertex'] | str
"""The providers with Google's API."""

OpenAIProviderName = (
    Literal[
        'openai',
        'azure',
        'deepseek',
        'openrouter',
        'grok',
        'perplexity',
        'together',
        'fireworks',
        'cerebras',
        'moonshotai',
        'zai',
        'alibaba',
        'nebius',
        'sambanova',
        'ovhcloud',
        'vercel',
        'crusoe',
        'heroku',
        'snowflake',
        'bedrock-mantle',
        'ollama',
        'lmstudio',
        'vllm-server',
        'llamacpp',
    ]
    | str
)
"""The providers with OpenAI's API."""
