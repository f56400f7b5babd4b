"""Sound and pictures of an answer → file parts. Pure."""

from __future__ import annotations

from base64 import b64decode

from ....json_types import Json
from ....messages import BinaryContent, FilePart
from ....streaming.draft import ResponseDraft
from ....streaming.parts import LAST

AUDIO_TYPES: tuple[tuple[bytes, str], ...] = (
    (b'RIFF', 'audio/wav'),
    (b'ID3', 'audio/mpeg'),
    (b'\xff\xfb', 'audio/mpeg'),
    (b'\xff\xf3', 'audio/mpeg'),
    (b'fLaC', 'audio/flac'),
    (b'OggS', 'audio/ogg'),
    (b'', 'audio/pcm'),
)
"""How files of sound begin. The answer does not say what it holds; a stream holds samples without a header."""


def decode_audio(audio: Json, draft: ResponseDraft) -> None:
    """A piece of a spoken answer: its words are text, its sound becomes a file at the end."""
    spoken: Json = draft.scratch.setdefault('audio', {'pieces': [], 'id': None})
    spoken['id'] = audio.get('id') or spoken['id']
    if data := audio.get('data'):
        spoken['pieces'].append(b64decode(data))
    if words := audio.get('transcript'):
        draft.parts.text('transcript', words)


def end_audio(draft: ResponseDraft) -> None:
    """The answer is over: its sound, if it has any, is whole. Its id is what goes back with the next request."""
    spoken: Json = draft.scratch.get('audio') or {}
    if not spoken.get('pieces'):
        return
    sound = b''.join(spoken['pieces'])
    media_type = next(media_type for start, media_type in AUDIO_TYPES if sound.startswith(start))
    file, details = BinaryContent(sound, media_type=media_type), {'audio_id': spoken['id']}
    draft.parts.whole('audio', FilePart(file, provider_name=draft.provider_name, provider_details=details))


def decode_image(image: Json, draft: ResponseDraft) -> None:
    """A picture that came as a data URI, as OpenRouter sends them."""
    file = BinaryContent.from_data_uri(image['image_url']['url'])
    draft.parts.whole(LAST, FilePart(file, provider_name=draft.provider_name))
