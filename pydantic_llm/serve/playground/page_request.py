"""`PageRequest`: the body of a request of the page, for a response of a model."""

from __future__ import annotations

from base64 import b64decode
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ...exceptions import UserError
from ...json_types import Json
from ...messages import BinaryContent, ModelMessage, ModelMessagesTypeAdapter, UserContent
from ...messages.media_types import detect_media_type

__all__ = ('PageRequest', 'read_request')


def _check_base64(text: str) -> str:
    b64decode(text, validate=True)
    return text


class UploadedFile(BaseModel):
    """A file of the user, which stays on the page until it is sent."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra='forbid')

    name: str
    media_type: str
    data: Annotated[str, AfterValidator(_check_base64)]
    """The content in base64."""

    def read(self) -> BinaryContent:
        """Return the file. Browsers send no media type for extensions that they do not know."""
        data = b64decode(self.data)
        media_type = self.media_type or detect_media_type(data, self.name)
        return BinaryContent(data, media_type=media_type, identifier=self.name)


class PageRequest(BaseModel):
    """A prompt with the messages before it. The server keeps nothing of a conversation."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra='forbid')

    model: str
    prompt: str
    files: list[UploadedFile] = []
    history: list[Any] = []
    """The messages so far, as the server sent them."""
    instructions: str = ''
    settings: dict[str, Any] = {}
    tools: list[str] = Field(default=[])
    """The names of the tools that the model may call."""

    def list_content(self) -> str | list[UserContent]:
        """Return the text of the prompt and its files. Raises `UserError` if there is neither."""
        if not self.prompt and not self.files:
            raise UserError('The prompt is empty: write a text, or add a file')
        if not self.files:
            return self.prompt
        files = [file.read() for file in self.files]
        return [self.prompt, *files] if self.prompt else [*files]

    def read_history(self) -> list[ModelMessage]:
        """Return the messages so far. Raises `UserError` if one is invalid."""
        try:
            return ModelMessagesTypeAdapter.validate_python(self.history)
        except ValidationError as error:
            raise UserError(f'history: {_describe_error(error)}; begin a new conversation') from None


def read_request(fields: Json) -> PageRequest:
    """Read the body of a request. Raises `UserError` if it is not valid."""
    try:
        return PageRequest.model_validate(fields)
    except ValidationError as error:
        raise UserError(_describe_error(error)) from None


def _describe_error(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f'{".".join(map(str, first["loc"]))}: {first["msg"]}'
