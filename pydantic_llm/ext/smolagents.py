"""Any model of this library as a model of smolagents: `PydanticLLMModel`, for `CodeAgent` and `ToolCallingAgent`.

https://huggingface.co/docs/smolagents/reference/models
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, cast

from ..json_types import Json
from ..models import Model
from ..settings import ModelSettings
from ._chat import ChatEndpoint
from ._framework import import_framework

if TYPE_CHECKING:
    from ..models.known_names import KnownModelName

    class Base:
        """The members of `smolagents.models.Model` that the class below uses."""

        def __init__(self, **kwargs: Any) -> None: ...
        def to_dict(self) -> dict[str, Any]: ...
        def _prepare_completion_kwargs(self, **kwargs: Any) -> Json: ...
else:
    Base = import_framework('smolagents.models', extra='smolagents', what=__name__).Model

__all__ = ('PydanticLLMModel',)

smolagents: Any = import_framework('smolagents.models', extra='smolagents', what=__name__)


class PydanticLLMModel(Base):
    """A model of smolagents whose requests go to a model of this library.

    `parameters` are fields of a Chat Completions request (`temperature`, `max_tokens`), or settings of this library
    (`timeout`, `thinking`); `settings` may also have those of one vendor. Both are sent with every request, and a
    parameter replaces the value that an agent passes, as in the models of smolagents. Errors are those of this library.
    """

    def __init__(
        self,
        model: Model | KnownModelName | str | None = None,
        *,
        settings: ModelSettings | None = None,
        custom_role_conversions: dict[str, str] | None = None,
        model_id: str | None = None,
        **parameters: Any,
    ) -> None:
        self._endpoint = ChatEndpoint(model if model is not None else model_id or '', settings)
        name = self._endpoint.model.model_id
        super().__init__(model_id=name, **parameters)
        self.custom_role_conversions = custom_role_conversions
        self.settings = settings

    @property
    def model(self) -> Model:
        """The model of this library that gets the requests."""
        return self._endpoint.model

    @property
    def supports_stop_parameter(self) -> bool:
        """Always true: if the model has no stop sequences, its text is truncated at them here."""
        return True

    def generate(
        self,
        messages: Sequence[Any],
        stop_sequences: list[str] | None = None,
        response_format: dict[str, Any] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return the response as a `ChatMessage`. Its `raw` is the response in the form of Chat Completions."""
        body = self._build_body(messages, stop_sequences, response_format, tools_to_call_from, **kwargs)
        response = self._endpoint.complete_sync(body)
        message = {**response['choices'][0]['message']}
        return smolagents.ChatMessage.from_dict(message, raw=response, token_usage=_read_usage(response))

    def generate_stream(
        self,
        messages: Sequence[Any],
        stop_sequences: list[str] | None = None,
        response_format: dict[str, Any] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> Generator[Any]:
        """Yield the response as `ChatMessageStreamDelta`s. The last one has the usage."""
        body = self._build_body(messages, stop_sequences, response_format, tools_to_call_from, **kwargs)
        for chunk in self._endpoint.stream_sync(body):
            for choice in chunk['choices']:
                yield _make_delta(choice['delta'])
            if 'usage' in chunk:
                yield smolagents.ChatMessageStreamDelta(content='', token_usage=_read_usage(chunk))

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` needs: the model's name, its settings, and the parameters."""
        return {**super().to_dict(), 'settings': self.settings}

    def _build_body(
        self,
        messages: Sequence[Any],
        stop_sequences: list[str] | None,
        response_format: dict[str, Any] | None,
        tools_to_call_from: list[Any] | None,
        **kwargs: Any,
    ) -> Json:
        return self._prepare_completion_kwargs(
            messages=messages,
            stop_sequences=stop_sequences,
            response_format=response_format,
            tools_to_call_from=tools_to_call_from,
            custom_role_conversions=self.custom_role_conversions,
            convert_images_to_image_urls=True,
            **kwargs,
        )


# By this table, an agent that was saved finds the class of its model again (`MultiStepAgent.from_dict`).
registry: dict[str, type] = cast('Any', vars(smolagents)).get('MODEL_REGISTRY', {})
registry[PydanticLLMModel.__name__] = PydanticLLMModel


def _read_usage(response: Json) -> Any:
    usage: Json = response['usage']
    return smolagents.TokenUsage(input_tokens=usage['prompt_tokens'], output_tokens=usage['completion_tokens'])


def _make_delta(delta: Json) -> Any:
    calls = [
        smolagents.ChatMessageToolCallStreamDelta(
            index=call['index'],
            id=call.get('id'),
            type=call.get('type'),
            function=smolagents.ChatMessageToolCallFunction(
                arguments=call['function'].get('arguments'), name=call['function'].get('name')
            ),
        )
        for call in delta.get('tool_calls', ())
    ]
    return smolagents.ChatMessageStreamDelta(content=delta.get('content'), tool_calls=calls or None)
