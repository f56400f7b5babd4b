"""Bedrock's Converse API, for the conformance suite."""

from __future__ import annotations

from pydantic_llm.models.bedrock import BedrockConverseModel, BedrockModelSettings, serve
from pydantic_llm.models.bedrock.decode import FINISH_REASONS
from pydantic_llm.providers.bedrock import BedrockProvider
from pydantic_llm.testing.room import Features, Room

CLAUDE = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0'

ROOM = Room(
    'bedrock',
    lambda: BedrockConverseModel(CLAUDE, provider=BedrockProvider(api_key='k', region_name='us-east-1')),
    serve.decode_request,
    serve.encode_response,
    serve.StreamEncoder,
    Features(
        ('stop', 'length', 'tool_call', 'content_filter', 'error'),
        arguments_as_text=False,
        any_order=True,
        signatures=True,
        tool_call_ids='[a-zA-Z0-9_.:-]{1,64}',
        has_model_name=False,
        has_response_id=False,
    ),
    FINISH_REASONS,
    ('stopReason',),
    ('output', 'message', 'content'),
    BedrockModelSettings,
    shared_fields={
        'max_tokens': ('inferenceConfig.maxTokens',),
        'temperature': ('inferenceConfig.temperature',),
        'top_p': ('inferenceConfig.topP',),
        'top_k': ('additionalModelRequestFields',),
        'parallel_tool_calls': ('additionalModelRequestFields',),
        'tool_choice': ('toolConfig.toolChoice',),
        'seed': (),
        'presence_penalty': (),
        'frequency_penalty': (),
        'logit_bias': (),
        'logprobs': (),
        'top_logprobs': (),
        'stop_sequences': ('inferenceConfig.stopSequences',),
        'cache': ('messages', 'system'),
        'thinking': ('additionalModelRequestFields',),
        'service_tier': ('serviceTier',),
        'constraint': (),
    },
    own_fields={
        'bedrock_additional_model_requests_fields': ({'a': 1}, ('additionalModelRequestFields',)),
        'bedrock_additional_model_response_fields_paths': (['/a'], ('additionalModelResponseFieldPaths',)),
        'bedrock_effort': ('low', ('outputConfig',)),
        'bedrock_guardrail_config': (
            {'guardrailIdentifier': 'g', 'guardrailVersion': '1', 'trace': 'enabled'},
            ('guardrailConfig',),
        ),
        'bedrock_performance_configuration': ({'latency': 'optimized'}, ('performanceConfig',)),
        'bedrock_request_metadata': ({'a': 'b'}, ('requestMetadata',)),
        'bedrock_prompt_variables': ({'a': {'text': 'b'}}, ('promptVariables',)),
        'bedrock_service_tier': ({'type': 'reserved'}, ('serviceTier',)),
        'bedrock_project': ('p', ('projectIdentifier',)),
        'bedrock_inference_profile': ('arn:aws:bedrock:us-east-1:1:application-inference-profile/a', ('path',)),
        'bedrock_cache_instructions': (True, ('system',)),
        'bedrock_cache_tool_definitions': ('1h', ('toolConfig.tools',)),
        'bedrock_cache_messages': (True, ('messages',)),
    },
)
