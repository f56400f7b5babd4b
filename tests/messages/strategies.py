"""Hypothesis strategies for messages and their parts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from pydantic_llm.messages import (
    AudioUrl,
    BinaryContent,
    CachePoint,
    CompactionPart,
    DocumentUrl,
    FilePart,
    ImageUrl,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    UserPromptPart,
    VideoUrl,
)
from pydantic_llm.usage import REPORTED, RequestUsage

texts = st.text(st.characters(codec='utf-8', exclude_categories=('Cs',)), max_size=20)
names = st.from_regex(r'[a-z_]{1,12}', fullmatch=True)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(texts, children, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(texts, json_values, max_size=3)
maybe_text = st.none() | texts
maybe_object = st.none() | objects
times = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001 -- hypothesis adds the zone
    datetime(2100, 1, 1),  # noqa: DTZ001 -- hypothesis adds the zone
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))]),
)

_of_urls = {
    'url': st.sampled_from(['https://example.com/a.png', 'https://example.com/b', 'gs://bucket/c.pdf']),
    'force_download': st.booleans(),
    'vendor_metadata': maybe_object,
    'media_type': st.none() | st.just('image/png'),
    'identifier': maybe_text,
}
binaries = st.builds(
    BinaryContent,
    st.binary(max_size=20),
    media_type=st.sampled_from(['image/png', 'text/plain', 'audio/wav']),
    vendor_metadata=maybe_object,
    identifier=maybe_text,
)
files = st.one_of(
    *(st.builds(kind, **_of_urls) for kind in (ImageUrl, AudioUrl, DocumentUrl, VideoUrl)),
    binaries,
    st.builds(UploadedFile, names, names, media_type=maybe_text, vendor_metadata=maybe_object, identifier=maybe_text),
)
user_contents = st.one_of(
    texts, files, st.builds(TextContent, texts, metadata=json_values), st.builds(CachePoint, ttl=st.just('1h'))
)
returns: st.SearchStrategy[Any] = st.recursive(
    json_values | files,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(texts, children, max_size=3),
    max_leaves=5,
)
error_details = st.lists(
    st.fixed_dictionaries(
        {'type': names, 'loc': st.tuples(names, st.integers(0, 9)), 'msg': texts, 'input': json_values}
    ),
    max_size=2,
)
request_parts = st.one_of(
    st.builds(SystemPromptPart, texts, timestamp=times, dynamic_ref=maybe_text),
    st.builds(UserPromptPart, texts | st.lists(user_contents, max_size=3), timestamp=times),
    st.builds(
        ToolReturnPart,
        names,
        returns,
        names,
        metadata=json_values,
        timestamp=times,
        outcome=st.sampled_from(['success', 'failed', 'denied', 'interrupted', 'retried']),
    ),
    st.builds(RetryPromptPart, texts | error_details, tool_name=st.none() | names, tool_call_id=names, timestamp=times),
)
_of_vendors = {'provider_name': st.none() | names, 'provider_details': maybe_object}
_of_items = {'id': maybe_text, **_of_vendors}
response_parts = st.one_of(
    st.builds(TextPart, texts, **_of_items),
    st.builds(ThinkingPart, texts, signature=maybe_text, **_of_items),
    st.builds(ToolCallPart, names, texts | maybe_object, names, **_of_items),
    st.builds(NativeToolCallPart, names, texts | maybe_object, names, **_of_items),
    st.builds(NativeToolReturnPart, names, returns, names, metadata=json_values, timestamp=times, **_of_vendors),
    st.builds(FilePart, binaries, **_of_items),
    st.builds(CompactionPart, texts, **_of_items),
)
_counts = st.integers(0, 10**6)
usages = st.builds(
    RequestUsage,
    input_tokens=_counts,
    cache_write_tokens=_counts,
    cache_read_tokens=_counts,
    output_tokens=_counts,
    input_audio_tokens=_counts,
    cache_audio_read_tokens=_counts,
    output_audio_tokens=_counts,
    details=st.dictionaries(names, _counts, max_size=2),
    estimated=st.sampled_from([(), REPORTED]),
    missing=st.sampled_from([(), ('output_tokens',), REPORTED]),
)
_of_messages = {'run_id': maybe_text, 'conversation_id': maybe_text, 'metadata': maybe_object}
requests = st.builds(
    ModelRequest,
    st.lists(request_parts, max_size=4),
    instructions=maybe_text,
    timestamp=st.none() | times,
    **_of_messages,
)
responses = st.builds(
    ModelResponse,
    st.lists(response_parts, max_size=4),
    usage=usages,
    model_name=maybe_text,
    timestamp=times,
    provider_name=maybe_text,
    provider_url=maybe_text,
    provider_details=maybe_object,
    provider_response_id=maybe_text,
    finish_reason=st.sampled_from([None, 'stop', 'length', 'content_filter', 'tool_call', 'error']),
    state=st.sampled_from(['complete', 'incomplete', 'interrupted']),
    warnings=st.lists(texts, max_size=2),
    **_of_messages,
)
histories = st.lists(requests | responses, max_size=4)
