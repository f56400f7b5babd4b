"""What vendors do about caching prompts: which of them cache by themselves, and for how long others are asked to.

`wire.caching` maps the setting `cache` by these facts. Each row has its source.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ('AUTOMATIC_CACHES', 'FIVE_MINUTES', 'HOUR')

FIVE_MINUTES = 300
"""Five minutes, in seconds."""

HOUR = 3600
"""An hour, in seconds."""

AUTOMATIC_CACHES: Mapping[str, str] = {
    'alibaba': 'https://www.alibabacloud.com/help/en/model-studio/context-cache',
    'azure': 'https://learn.microsoft.com/azure/ai-services/openai/how-to/prompt-caching',
    'cerebras': 'https://inference-docs.cerebras.ai/capabilities/prompt-caching',
    'deepseek': 'https://api-docs.deepseek.com/guides/kv_cache',
    'fireworks': 'https://docs.fireworks.ai/guides/prompt-caching',
    'grok': 'https://docs.x.ai/developers/advanced-api-usage/prompt-caching',
    'groq': 'https://console.groq.com/docs/prompt-caching',
    'moonshotai': 'https://platform.moonshot.ai/docs/guide/use-context-caching-feature-of-kimi-api',
    'openai': 'https://developers.openai.com/api/docs/guides/prompt-caching',
    'zai': 'https://docs.z.ai/guides/capabilities/cache',
    # servers and engines that keep the state of prefixes
    'llamacpp': 'https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md',
    'llamacpp-local': 'the engine of this package: pydantic_llm.models.llamacpp',
    'lmstudio': 'llama.cpp and MLX, which it runs',
    'mlx': 'the engine of this package: pydantic_llm.models.mlx',
    'ollama': 'llama.cpp, which it runs',
    'transformers': 'the engine of this package: pydantic_llm.models.transformers',
    'vllm': 'https://docs.vllm.ai/en/stable/features/automatic_prefix_caching',
    'vllm-server': 'https://docs.vllm.ai/en/stable/features/automatic_prefix_caching',
}
"""Names of providers whose servers cache every prompt by themselves -> the source."""
