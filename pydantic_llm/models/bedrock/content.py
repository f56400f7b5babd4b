"""What a user can send, and what a tool can return → content blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
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
from ...messages.content import format_of, is_text
from ...messages.request import FAILED_OUTCOMES, is_file
from ...profiles.bedrock import BedrockModelProfile, Kind

AnyFile = ImageUrl | AudioUrl | DocumentUrl | VideoUrl | BinaryContent | UploadedFile

FORMATS: dict[Kind, tuple[str, ...]] = {
    'image': ('png', 'jpeg', 'gif', 'webp'),
    'document': ('pdf', 'csv', 'doc', 'docx', 'xls', 'xlsx', 'html', 'txt', 'md'),
    'video': ('mkv', 'mov', 'mp4', 'webm', 'flv', 'mpeg', 'mpg', 'wmv', 'three_gp'),
    'audio': ('mp3', 'opus', 'wav', 'aac', 'flac', 'mp4', 'ogg', 'mkv', 'mka', 'm4a', 'mpeg', 'mpga', 'pcm', 'webm'),
}
"""The formats that the API knows. Text in a format that it does not know is a `txt`."""

KINDS: dict[str, Kind] = {'image': 'image', 'video': 'video', 'audio': 'audio'}
"""What the first word of a media type stands for; everything else is a document."""

ABOUT_DOCUMENTS = ('context', 'citations')
"""What `vendor_metadata` can say of a document; `{'citations': {'enabled': True}}` makes the model cite it."""

NOT_IN_NAMES = re.compile(r'[^\w\s()\[\]-]|_', re.ASCII)
"""What the name of a document may not hold. It may not hold two spaces in a row either."""

GUARDED = 'guard_content'
"""`vendor_metadata={'guard_content': True}` on a text file or an image has a guardrail look at it and at nothing else;
a list of qualifiers does as well (`['grounding_source']`, `['query']`)."""

SEARCH_RESULT = 'search_result'
"""`vendor_metadata={'search_result': {'source': ..., 'title': ...}}` on a text file makes it something found."""


@dataclass(slots=True)
class ContentEncoder:
    """Makes blocks of what is said in one request. It counts the documents, which want names."""

    system: str
    """The vendor's name; files that another one holds cannot be sent."""
    model_name: str
    """The model, for messages."""
    profile: BedrockModelProfile
    """What the model can do."""
    documents: int = field(default=0, init=False)

    def content(self, items: Iterable[UserContent]) -> Iterator[Json | CachePoint]:
        """A block for each item; a cache point stays. Raises `UserError` for what cannot be sent."""
        for item in items:
            match item:
                case str():
                    yield from text(item)
                case TextContent(content=words):
                    yield from text(words)
                case CachePoint():
                    yield item
                case _:
                    yield self.file(item)

    def file(self, file: MultiModalContent) -> Json:
        """The block for a file."""
        match file:
            case ImageUrl(url=url) | DocumentUrl(url=url) | VideoUrl(url=url) | AudioUrl(url=url):
                if url.startswith('data:'):
                    return self.file(replace(BinaryContent.from_data_uri(url), vendor_metadata=file.vendor_metadata))
                source, media_type = _in_s3(url, file), file.media_type
            case BinaryContent():
                if (special := _special(file)) is not None:
                    return special
                source, media_type = {'bytes': file.base64}, file.media_type
            case UploadedFile(file_id=id, provider_name=name):
                if name != self.system:
                    raise UserError(f'{self.system!r} cannot take {file!r}, which {name!r} holds')
                source, media_type = _in_s3(id, file), file.media_type
            case _:
                assert_never(file)
        return self._block(file, source, media_type or '')

    def _block(self, file: AnyFile, source: Json, media_type: str) -> Json:
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
        named = self._name(file) if kind == 'document' else {}
        return {kind: {**named, 'format': format, 'source': source}}

    def _name(self, file: AnyFile) -> Json:
        """The name of a document, and what is said about it."""
        self.documents += 1
        about = file.vendor_metadata or {}
        name = ' '.join(NOT_IN_NAMES.sub(' ', str(about.get('name', ''))).split())[:200].strip()
        return {
            'name': name or f'Document {self.documents}',
            **{key: about[key] for key in ABOUT_DOCUMENTS if key in about},
        }

    # what tools return

    def tool_return(self, part: ToolReturnPart) -> tuple[Json, list[Json]]:
        """The result of a call, and the files that cannot stand in it, which follow with their names."""
        as_json, returned = self.profile.bedrock_tool_results == 'json', cast('object', part.content)
        inside: list[Json] = []
        after: list[Json] = []
        rest: list[Any] = []
        for item in part.items():
            if not is_file(item):
                rest.append(item)
                inside.extend([] if as_json else [_told(item, part)])
                continue
            block = self.file(item)
            if block.keys() <= self.profile.bedrock_content_of_tools:
                inside.append(block)
            else:
                inside.append({'text': f'See file {item.identifier}.'})
                after += [{'text': f'This is file {item.identifier}:'}, block]
        if as_json and (rest or not inside):
            value = rest if isinstance(returned, (list, tuple)) or not rest else rest[0]
            inside.insert(0, {'json': replace(part, content=value).model_response_object()})
        inside = inside or [_told(returned, part)]
        failed = part.outcome in FAILED_OUTCOMES
        return self.result(part.tool_call_id, inside, failed=failed), after

    def retry(self, part: RetryPromptPart) -> Json:
        """The result of a call that was wrong."""
        return self.result(part.tool_call_id, [{'text': part.model_response()}], failed=True)

    def result(self, tool_call_id: str, blocks: list[Json], *, failed: bool) -> Json:
        """The block that answers a call."""
        result: Json = {'toolUseId': tool_call_id, 'content': blocks}
        if self.profile.bedrock_result_status:
            result['status'] = 'error' if failed else 'success'
        return {'toolResult': result}


def _in_s3(address: str, file: AnyFile) -> Json:
    """A file in S3 by its address; `?bucketOwner=` names the account that it belongs to, where that is another one."""
    if not address.startswith('s3://'):
        raise UserError(f'{file!r} cannot be sent: Bedrock reads files by an address in S3 (s3://bucket/key) alone')
    uri, _, query = address.partition('?')
    owner = (file.vendor_metadata or {}).get('bucket_owner') or next(iter(parse_qs(query).get('bucketOwner', [])), None)
    return {'s3Location': {'uri': uri, **({'bucketOwner': str(owner)} if owner else {})}}


def _special(file: BinaryContent) -> Json | None:
    """The block of a file that is no file to the API: something to guard, or something found."""
    about = file.vendor_metadata or {}
    if found := about.get(SEARCH_RESULT):
        return {'searchResult': {**found, 'content': [{'text': file.data.decode('utf-8', 'replace')}]}}
    guarded = about.get(GUARDED)
    if not guarded:
        return None
    if file.is_image:
        return {'guardContent': {'image': {'format': file.format, 'source': {'bytes': file.base64}}}}
    qualifiers: Json = {'qualifiers': guarded} if isinstance(guarded, list) else {}
    return {'guardContent': {'text': {'text': file.data.decode('utf-8', 'replace'), **qualifiers}}}


def text(words: str) -> Iterator[Json]:
    """The block for a text; none for a blank one, which the API refuses."""
    if words.strip():
        yield {'text': words}


def _told(item: Any, part: ToolReturnPart) -> Json:
    """The block for something that a tool returned: text as it is, anything else as JSON. It may be blank."""
    return {'text': replace(part, content=item).model_response_str()}
