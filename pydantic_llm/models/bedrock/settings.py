"""The settings of the Converse API, and their names in the body."""

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
"""The shared settings -> fields of `inferenceConfig`, with the same values."""

OWN_SETTINGS: dict[str, str] = {
    'bedrock_guardrail_config': 'guardrailConfig',
    'bedrock_performance_configuration': 'performanceConfig',
    'bedrock_request_metadata': 'requestMetadata',
    'bedrock_additional_model_response_fields_paths': 'additionalModelResponseFieldPaths',
    'bedrock_prompt_variables': 'promptVariables',
    'bedrock_service_tier': 'serviceTier',
    'bedrock_project': 'projectIdentifier',
}
"""The API's own settings -> fields of the body, with the same values."""

SERVICE_TIERS: dict[ServiceTier, str] = {'default': 'default', 'flex': 'flex', 'priority': 'priority'}
"""Our service tiers -> the API's. `auto` is the API's default, so it is not sent.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ServiceTier.html"""

SUPPORTED = frozenset({*SETTINGS, 'cache', 'top_k', 'thinking', 'service_tier', 'parallel_tool_calls'})
"""The shared settings that the API has."""

CacheTtl = bool | Literal['5m', '1h']
"""The time after its last use that a cached prompt is kept; `True` is five minutes, `False` does not cache."""


class BedrockModelSettings(ModelSettings, total=False):
    """Settings of a Converse request."""

    bedrock_additional_model_requests_fields: Mapping[str, Any]
    """The model's own parameters, sent unchanged. They override `thinking` and `top_k`."""

    bedrock_additional_model_response_fields_paths: Sequence[str]
    """JSON pointers to fields of the model's own response, to return in `provider_details`: `['/stop_sequence']`."""

    bedrock_effort: Literal['low', 'medium', 'high', 'xhigh', 'max']
    """The effort that the model puts into the response, as a value of the API. Overrides `thinking`."""

    bedrock_guardrail_config: Mapping[str, Any]
    """The guardrail: `{'guardrailIdentifier': ..., 'guardrailVersion': '1', 'trace': 'enabled'}`."""

    bedrock_performance_configuration: Mapping[str, Any]
    """`{'latency': 'optimized'}`, for models that support it."""

    bedrock_request_metadata: Mapping[str, str]
    """Metadata to filter the logs of invocations by."""

    bedrock_prompt_variables: Mapping[str, Any]
    """The variables of a managed prompt, if the model's name is its ARN: `{'name': {'text': '...'}}`."""

    bedrock_service_tier: Mapping[str, str]
    """The API's service tier: `{'type': 'reserved'}`. Overrides the shared `service_tier`."""

    bedrock_project: str
    """The project of the request: its id or ARN."""

    bedrock_inference_profile: str
    """The id or ARN to call instead of the model's name. The model's profile is still chosen by its name."""

    bedrock_cache_instructions: CacheTtl
    """Cache the system prompts and instructions, and the tools, which precede them."""

    bedrock_cache_tool_definitions: CacheTtl
    """Cache the definitions of the tools."""

    bedrock_cache_messages: CacheTtl
    """Cache everything up to the end of the last message."""
