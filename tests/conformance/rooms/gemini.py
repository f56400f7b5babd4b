"""Gemini, for the conformance suite."""

from __future__ import annotations

from pydantic_llm.models.gemini import GeminiModel, serve
from pydantic_llm.models.gemini.decode import FINISH_REASONS
from pydantic_llm.models.gemini.settings import GeminiModelSettings
from pydantic_llm.testing.room import Features, Room

ROOM = Room(
    'gemini',
    lambda: GeminiModel('gemini-3-flash-preview', api_key='k'),
    serve.decode_request,
    serve.encode_response,
    serve.StreamEncoder,
    Features(
        ('stop', 'length', 'content_filter'),
        arguments_as_text=False,
        any_order=True,
        signs_tool_calls=True,
        merges_adjacent_parts=True,
        usage_counts=('input_tokens', 'cache_read_tokens', 'output_tokens'),
    ),
    FINISH_REASONS,
    ('candidates', 0, 'finishReason'),
    ('candidates', 0, 'content', 'parts'),
    GeminiModelSettings,
    shared_fields={
        'max_tokens': ('generationConfig.maxOutputTokens',),
        'temperature': ('generationConfig.temperature',),
        'top_p': ('generationConfig.topP',),
        'top_k': ('generationConfig.topK',),
        'parallel_tool_calls': (),
        'tool_choice': ('toolConfig.functionCallingConfig.mode',),
        'seed': ('generationConfig.seed',),
        'presence_penalty': (),
        'frequency_penalty': (),
        'logit_bias': (),
        'logprobs': (),
        'top_logprobs': (),
        'stop_sequences': ('generationConfig.stopSequences',),
        'cache': (),
        'thinking': ('generationConfig.thinkingConfig',),
        'service_tier': ('serviceTier',),
        'constraint': (),
    },
    own_fields={
        'gemini_safety_settings': ([{'category': 'c'}], ('safetySettings',)),
        'gemini_thinking_config': ({'thinkingBudget': 1}, ('generationConfig.thinkingConfig',)),
        'gemini_labels': ({'a': 'b'}, ('labels',)),
        'gemini_media_resolution': ('MEDIA_RESOLUTION_LOW', ('generationConfig.mediaResolution',)),
        'gemini_cached_content': ('c', ('toolConfig', 'tools', 'systemInstruction', 'cachedContent')),
        'gemini_image_config': ({'aspectRatio': '1:1'}, ('generationConfig.imageConfig',)),
        'gemini_speech_config': ({'languageCode': 'de'}, ('generationConfig.speechConfig',)),
        'gemini_response_modalities': (['TEXT'], ('generationConfig.responseModalities',)),
        'gemini_native_tools': ([{'googleMaps': {}}], ('tools', 'toolConfig.includeServerSideToolInvocations')),
        'gemini_retrieval_config': ({'languageCode': 'de'}, ('toolConfig.retrievalConfig',)),
        'gemini_model_armor_config': ({'promptTemplateName': 't'}, ('modelArmorConfig',)),
        'gemini_service_tier': ('flex', ('serviceTier',)),
    },
)
