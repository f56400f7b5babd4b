"""Encodes the content of users and of tool results as blocks. Start at `ContentEncoder.encode_content`.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, count
from typing import Any, assert_never, cast
from urllib.parse import parse_qs

from ...exceptions import UserError
from ...json_types import Json
from ...messages import (
    AudioUrl,
    BinaryContent,
    CachePoint,
    DocumentUrl,
    ImageUrl,
    MultiModalContent,
    RetryPromptPart,
    TextContent,
    ToolReturnPart,
    UploadedFile,
    UserContent,
    VideoUrl,
)
from ...messages.content import find_file_name
from ...messages.media_types import format_of, is_text
from ...messages.request import FAILED_OUTCOMES, is_file
from ...profiles.bedrock import BedrockModelProfile, Kind

FORMATS: dict[Kind, tuple[str, ...]] = {
    'image': ('png', 'jpeg', 'gif', 'webp'),
    'document': ('pdf', 'csv', 'doc', 'docx', 'xls', 'xlsx', 'html', 'txt', 'md'),
    'video': ('mkv', 'mov', 'mp4', 'webm', 'flv', 'mpeg', 'mpg', 'wmv', 'three_gp'),
    'audio': ('mp3', 'opus', 'wav', 'aac', 'flac', 'mp4', 'ogg', 'mkv', 'mka', 'm4a', 'mpeg', 'mpga', 'pcm', 'webm'),
}
"""The file formats of the API. Text in any other format is sent as `txt`."""

KINDS: dict[str, Kind] = {'image': 'image', 'video': 'video', 'audio': 'audio'}
"""The first words of media types -> kinds of files. All other files are documents."""

DOCUMENT_FIELDS = ('context', 'citations')
"""The fields of a document that `vendor_metadata` can set; `{'citations': {'enabled': True}}` enables citations."""

INVALID_IN_NAMES = re.compile(r'[^\w\s()\[\]-]|_', re.ASCII)
"""Characters that the name of a document must not contain. Two spaces in a row are invalid too.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html"""

MAX_NAME_LENGTH = 200

GUARD_CONTENT = 'guard_content'
"""`vendor_metadata={'guard_content': True}` on a text file or an image restricts a guardrail to such content.
Instead of `True`, a text file can have a list of qualifiers: `['grounding_source']`, `['query']`."""

SEARCH_RESULT = 'search_result'
"""`vendor_metadata={'search_result': {'source': ..., 'title': ...}}` on a text file sends it as a search result."""


@dataclass(slots=True)
class ContentEncoder:
    """Encodes the content of one request. It records the names of documents, since each needs a name of its own."""

    system: str
    """The vendor's name. Uploaded files of other vendors are rejected."""
    model_name: str
    """The model's name, for error messages."""
    profile: BedrockModelProfile
    document_names: set[str] = field(default_factory=set[str], init=False)
    """The names of the documents so far, in lower case."""
    _candidates: dict[str, Iterator[str]] = field(default_factory=dict[str, Iterator[str]], init=False)
    """The names that were not tried yet, by the name that a document should have."""

    def encode_content(self, items: Iterable[UserContent]) -> Iterator[Json | CachePoint]:
        """Encode each item as a block; cache points are yielded unchanged. Raises `UserError` for unsupported files."""
        for item in items:
            match item:
                case str(text) | TextContent(content=text):
                    yield from encode_text(text)
                case CachePoint():
                    yield item
                case _:
                    yield self.encode_file(item)

    def encode_file(self, file: MultiModalContent) -> Json:
        """Encode a file. Raises `UserError` if the model or the API does not support it."""
        match file:
            case ImageUrl(url=url) | DocumentUrl(url=url) | VideoUrl(url=url) | AudioUrl(url=url):
                if url.startswith('data:'):
                    return self.encode_file(file.decode_data())
                source, media_type = _encode_s3_location(url, file), file.media_type
            case BinaryContent():
                if (special := _encode_special_file(file)) is not None:
                    return special
                source, media_type = {'bytes': file.base64}, file.media_type
            case UploadedFile(file_id=id, provider_name=name):
                if name != self.system:
                    raise UserError(f'{self.system!r} cannot take {file!r}, which {name!r} holds')
                source, media_type = _encode_s3_location(id, file), file.media_type
            case _:
                assert_never(file)
        return self._encode_block(file, source, media_type or '')

    def _encode_block(self, file: MultiModalContent, source: Json, media_type: str) -> Json:
        kind = KINDS.get(media_type.partition('/')[0], 'document')
        format = format_of(media_type)
        if kind == 'document' and is_text(media_type) and format not in FORMATS['document']:
            format = 'txt'
        if format not in FORMATS[kind]:
            raise UserError(
                f'{self.system!r} cannot take {file!r}: of the kind {kind!r} its API knows {", ".join(FORMATS[kind])}'
            )
        if kind not in self.profile.bedrock_content:
            raise UserError(f'{self.model_name!r} takes no {kind} (bedrock_content), and was given {file!r}')
        fields = self._encode_document_fields(file) if kind == 'document' else {}
        return {kind: {**fields, 'format': format, 'source': source}}

    def _encode_document_fields(self, file: MultiModalContent) -> Json:
        """Encode the name of a document and its other fields."""
        metadata = file.vendor_metadata or {}
        words = INVALID_IN_NAMES.sub(' ', str(metadata.get('name') or find_file_name(file) or '')).split()
        return {
            'name': self._choose_name(' '.join(words)[:MAX_NAME_LENGTH].strip()),
            **{key: metadata[key] for key in DOCUMENT_FIELDS if key in metadata},
        }

    def _choose_name(self, name: str) -> str:
        """Return the name, with a number if an earlier document has it; a document without a name is numbered.

        The API rejects two of one name (litellm#30093). A name does not change when the conversation grows.
        """
        if not name:
            candidates: Iterator[str] = (f'Document {number}' for number in count(len(self.document_names) + 1))
        elif name not in self._candidates:
            start = name[: MAX_NAME_LENGTH - 6].strip()
            candidates = chain([name], (f'{start} {number}' for number in count(2)))
            self._candidates[name] = candidates
        else:
            candidates = self._candidates[name]
        chosen = next(candidate for candidate in candidates if candidate.lower() not in self.document_names)
        self.document_names.add(chosen.lower())
        return chosen

    def encode_tool_return(self, part: ToolReturnPart) -> tuple[Json, list[Json]]:
        """Encode a tool result. Also return the blocks that follow it: files that a result must not contain."""
        as_json, returned = self.profile.bedrock_tool_results == 'json', cast('object', part.content)
        inside: list[Json] = []
        after: list[Json] = []
        values: list[Any] = []
        for item in part.items():
            if not is_file(item):
                values.append(item)
                inside.extend([] if as_json else [_encode_value(item, part)])
                continue
            block = self.encode_file(item)
            if block.keys() <= self.profile.bedrock_content_of_tools:
                inside.append(block)
            else:
                inside.append({'text': f'See file {item.identifier}.'})
                after += [{'text': f'This is file {item.identifier}:'}, block]
        if as_json and (values or not inside):
            value = values if isinstance(returned, (list, tuple)) or not values else values[0]
            inside.insert(0, {'json': replace(part, content=value).model_response_object()})
        inside = inside or [_encode_value(returned, part)]
        failed = part.outcome in FAILED_OUTCOMES
        return self._encode_tool_result(part.tool_call_id, inside, failed=failed), after

    def encode_retry(self, part: RetryPromptPart) -> Json:
        """Encode the result of an invalid tool call."""
        return self._encode_tool_result(part.tool_call_id, [{'text': part.model_response()}], failed=True)

    def _encode_tool_result(self, tool_call_id: str, blocks: list[Json], *, failed: bool) -> Json:
        result: Json = {'toolUseId': tool_call_id, 'content': blocks}
        # not all models support a status:
        # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolResultBlock.html
        if self.profile.bedrock_result_status:
            result['status'] = 'error' if failed else 'success'
        return {'toolResult': result}


def _encode_s3_location(url: str, file: MultiModalContent) -> Json:
    """Encode the URL of a file in S3. `?bucketOwner=` names the account of the bucket if it is another account's."""
    if not url.startswith('s3://'):
        raise UserError(f'{file!r} cannot be sent: Bedrock reads files by an address in S3 (s3://bucket/key) alone')
    uri, _, query = url.partition('?')
    owner = (file.vendor_metadata or {}).get('bucket_owner') or next(iter(parse_qs(query).get('bucketOwner', [])), None)
    return {'s3Location': {'uri': uri, **({'bucketOwner': str(owner)} if owner else {})}}


def _encode_special_file(file: BinaryContent) -> Json | None:
    """Encode a file that is a search result or content for a guardrail. Return `None` for other files."""
    metadata = file.vendor_metadata or {}
    if found := metadata.get(SEARCH_RESULT):
        return {'searchResult': {**found, 'content': [{'text': file.data.decode('utf-8', 'replace')}]}}
    guarded = metadata.get(GUARD_CONTENT)
    if not guarded:
        return None
    if file.is_image:
        return {'guardContent': {'image': {'format': file.format, 'source': {'bytes': file.base64}}}}
    qualifiers: Json = {'qualifiers': guarded} if isinstance(guarded, list) else {}
    return {'guardContent': {'text': {'text': file.data.decode('utf-8', 'replace'), **qualifiers}}}


def encode_text(text: str) -> Iterator[Json]:
    """Encode text. Yield nothing for blank text, which the API rejects."""
    if text.strip():
        yield {'text': text}


def _encode_value(value: Any, part: ToolReturnPart) -> Json:
    """Encode a value that a tool returned: text unchanged, anything else as JSON."""
    return {'text': replace(part, content=value).model_response_str()}
