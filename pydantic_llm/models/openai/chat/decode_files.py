"""Decodes the audio and the images of a chat completion into file parts."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass, field

from ....json_types import Json
from ....messages import BinaryContent, FilePart
from ....messages.media_types import AUDIO_TYPES
from ....streaming.draft import ResponseDraft
from ....streaming.parts import LAST


@dataclass(slots=True)
class AudioDecoder:
    """Collects the pieces of a spoken response: the transcript is text, the audio becomes a file at the end."""

    draft: ResponseDraft
    audio_id: str | None = None
    """The id by which the next request refers to this audio."""
    pieces: list[bytes] = field(default_factory=list[bytes])

    def decode(self, audio: Json) -> None:
        """Decode one piece, or all of it."""
        self.audio_id = audio.get('id') or self.audio_id
        if data := audio.get('data'):
            self.pieces.append(b64decode(data))
        if transcript := audio.get('transcript'):
            self.draft.parts.text('transcript', transcript)

    def finish(self) -> None:
        """Add the file, if any audio came."""
        if not self.pieces:
            return
        audio = b''.join(self.pieces)  # the response does not name its format
        media_type = next(media_type for start, media_type in AUDIO_TYPES if audio.startswith(start))
        file, details = BinaryContent(audio, media_type=media_type), {'audio_id': self.audio_id}
        name = self.draft.provider_name
        self.draft.parts.whole('audio', FilePart(file, provider_name=name, provider_details=details))


def decode_image(image: Json, draft: ResponseDraft) -> None:
    """Decode an image that came as a data URI (https://openrouter.ai/docs/features/multimodal/image-generation)."""
    file = BinaryContent.from_data_uri(image['image_url']['url'])
    draft.parts.whole(LAST, FilePart(file, provider_name=draft.provider_name))
