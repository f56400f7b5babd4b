"""The names of OpenTelemetry's semantic conventions for generative AI, as tables from our names to theirs.

The texts are in github.com/open-telemetry/semantic-conventions, tag v1.41.1, `docs/gen-ai`: the last release with them.
They are continued in github.com/open-telemetry/semantic-conventions-genai, which has no release; what is taken from
there is marked. `opentelemetry-semantic-conventions` 0.66b2 has the names of v1.41.1.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = (
    'DURATION_OF_OPERATION',
    'METRICS',
    'OWN_NAMES',
    'PROVIDER_NAMES',
    'REQUEST_ATTRIBUTES',
    'USAGE_ATTRIBUTES',
    'Metric',
)

PROVIDER_NAMES: dict[str, str] = {
    'azure': 'azure.ai.openai',
    'bedrock': 'aws.bedrock',
    'bedrock-mantle': 'aws.bedrock',
    'google-gla': 'gcp.gemini',
    'google-vertex': 'gcp.vertex_ai',
    'grok': 'x_ai',
    'mistral': 'mistral_ai',
    'moonshotai': 'moonshot_ai',  # semantic-conventions-genai, model/gen-ai/registry.yaml
}
"""The well-known values of `gen_ai.provider.name` that differ from our names (docs/registry/attributes/gen-ai.md).

`anthropic`, `cohere`, `deepseek`, `groq`, `openai` and `perplexity` are the same; other vendors keep our names.
"""

REQUEST_ATTRIBUTES: dict[str, tuple[str, type]] = {
    'max_tokens': ('gen_ai.request.max_tokens', int),
    'temperature': ('gen_ai.request.temperature', float),
    'top_p': ('gen_ai.request.top_p', float),
    'top_k': ('gen_ai.request.top_k', float),
    'seed': ('gen_ai.request.seed', int),
    'presence_penalty': ('gen_ai.request.presence_penalty', float),
    'frequency_penalty': ('gen_ai.request.frequency_penalty', float),
    'stop_sequences': ('gen_ai.request.stop_sequences', list),
}
"""The attributes of settings, with their types (docs/gen-ai/gen-ai-spans.md)."""

USAGE_ATTRIBUTES: dict[str, str] = {
    'input_tokens': 'gen_ai.usage.input_tokens',
    'output_tokens': 'gen_ai.usage.output_tokens',
    'cache_read_tokens': 'gen_ai.usage.cache_read.input_tokens',
    'cache_write_tokens': 'gen_ai.usage.cache_creation.input_tokens',
    'output_reasoning_tokens': 'gen_ai.usage.reasoning.output_tokens',
}
"""The attributes of the counts of a `Usage` (docs/gen-ai/gen-ai-spans.md).

As in `Usage`, the input includes the cached tokens, and the output those of thinking.
"""


@dataclass(frozen=True, slots=True)
class Metric:
    """A histogram, with the boundaries of its buckets."""

    unit: str
    description: str
    buckets: tuple[float, ...]


SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
SECONDS_OF_AGENTS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6)
TOKENS = tuple(4.0**power for power in range(14))

METRICS: dict[str, Metric] = {
    'gen_ai.client.token.usage': Metric('{token}', 'Number of input and output tokens used.', TOKENS),
    'gen_ai.client.operation.duration': Metric('s', 'GenAI operation duration.', SECONDS),
    'gen_ai.client.operation.time_to_first_chunk': Metric('s', 'Time to receive the first chunk.', SECONDS),
    'gen_ai.client.operation.time_per_output_chunk': Metric('s', 'Time per output chunk.', SECONDS),
    # semantic-conventions-genai, docs/gen-ai/gen-ai-metrics.md at 004902b
    'gen_ai.invoke_agent.duration': Metric('s', 'The duration of an agent invocation.', SECONDS_OF_AGENTS),
    'gen_ai.execute_tool.duration': Metric('s', 'The duration of a single tool execution.', SECONDS),
}
"""The metrics by name (docs/gen-ai/gen-ai-metrics.md)."""

DURATION_OF_OPERATION: dict[str, str] = {
    'chat': 'gen_ai.client.operation.duration',
    'invoke_agent': 'gen_ai.invoke_agent.duration',
    'execute_tool': 'gen_ai.execute_tool.duration',
}
"""The metric of the duration of an operation, by `gen_ai.operation.name`."""

OWN_NAMES: dict[str, str] = {
    'pydantic_llm.attempt_failed': 'a span event: the conventions have none for retries',
    'pydantic_llm.attempt_failed.wait': 'seconds until the next attempt',
    'pydantic_llm.cache_hit': 'a span event: the conventions have none for a stored response',
    'pydantic_llm.cache_hit.age': 'seconds since the response was stored',
    'pydantic_llm.cancelled': 'a span event: a cancelled operation is no error',
    'pydantic_llm.hedge_started': 'a span event: the conventions have none for a second request at the same time',
    'pydantic_llm.hedge_started.model_id': 'the second model, as in `Model.model_id`',
    'pydantic_llm.hedge_started.seconds': 'seconds that the first model had by then',
    'pydantic_llm.hedge_started.slow_model_id': 'the first model, as in `Model.model_id`',
    'pydantic_llm.model_failed': 'a span event: the conventions have none for fallbacks',
    'pydantic_llm.model_failed.model_id': 'the model that failed, as in `Model.model_id`',
    'pydantic_llm.request_id': 'the id of the request by which a vendor finds it in its logs',
    'gen_ai.invoke_agent.duration': 'a metric of semantic-conventions-genai, which has no release yet',
    'gen_ai.execute_tool.duration': 'a metric of semantic-conventions-genai, which has no release yet',
    'gen_ai.client.inference.operation.details': 'an event of docs/gen-ai/gen-ai-events.md; the package has attributes',
    'gen_ai.client.operation.exception': 'an event of docs/gen-ai/gen-ai-exceptions.md; the package has attributes',
}
"""The names that the package of the conventions does not have, with the reason for each."""
