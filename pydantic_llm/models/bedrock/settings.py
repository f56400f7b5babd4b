"""The knobs of the Converse API, and what they are called on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ...settings import ModelSettings, ServiceTier

SETTINGS: dict[str, str] = {
    'max_tokens': 'maxTokens',
    'temperature': 'temperature',
    'top_p': 'topP',
    'stop_sequences': 'stopSequences',
}
"""The shared settings that go into `inferenceConfig` as they are."""

OWN_SETTINGS: dict[str, str] = {
    'bedrock_guardrail_config': 'guardrailConfig',
    'bedrock_performance_configuration': 'performanceConfig',
    'bedrock_request_metadata': 'requestMetadata',
    'bedrock_additional_model_response_fields_paths': 'additionalModelResponseFieldPaths',
    'bedrock_prompt_variables': 'promptVariables',
    'bedrock_service_tier': 'serviceTier',
    'bedrock_project': 'projectIdentifier',
}
"""The API's own settings that go into the body as they are."""

SERVICE_TIERS: dict[ServiceTier, str] = {'default': 'default', 'flex': 'flex', 'priority': 'priority'}
"""Our names of queues, and the API's. `auto` is what it does unless it is told otherwise."""

SUPPORTED = frozenset({*SETTINGS, 'top_k', 'thinking', 'service_tier', 'parallel_tool_calls'})
"""The shared settings that the API has."""

CacheTtl = bool | Literal['5m', '1h']
"""Whether to cache, and for how long after the last use; `True` is five minutes."""


class BedrockModelSettings(ModelSettings, total=False):
    """Settings of a Converse request."""

    bedrock_additional_model_requests_fields: Mapping[str, Any]
    """The model's own parameters, in its vendor's words; they win over what is made of `thinking` and `top_k`."""

    bedrock_additional_model_response_fields_paths: Sequence[str]
    """JSON pointers to fields of the model's own answer, which come in `provider_details`: `['/stop_sequence']`."""

    bedrock_effort: Literal['low', 'medium', 'high', 'xhigh', 'max']
    """How much effort the model puts into the answer, in the API's words; wins over `thinking`."""

    bedrock_guardrail_config: Mapping[str, Any]
    """The guardrail: `{'guardrailIdentifier': ..., 'guardrailVersion': '1', 'trace': 'enabled'}`."""

    bedrock_performance_configuration: Mapping[str, Any]
    """`{'latency': 'optimized'}` for models that can be asked to hurry."""

    bedrock_request_metadata: Mapping[str, str]
    """What to file the request under in the logs of invocations."""

    bedrock_prompt_variables: Mapping[str, Any]
    """The variables of a managed prompt, where the model's name is its ARN: `{'name': {'text': '...'}}`."""

    bedrock_service_tier: Mapping[str, str]
    """Which queue the request stands in, in the API's words (`{'type': 'reserved'}`); wins over `service_tier`."""

    bedrock_project: str
    """The project that the request belongs to: its id or ARN."""

    bedrock_inference_profile: str
    """The id or ARN to call instead of the model's name, which still says what the model can do."""

    bedrock_cache_instructions: CacheTtl
    """Cache the system prompts and instructions, and what comes before them."""

    bedrock_cache_tool_definitions: CacheTtl
    """Cache the definitions of the tools."""

    bedrock_cache_messages: CacheTtl
    """Cache everything up to the end of the last message."""
