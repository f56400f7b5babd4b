"""`LocalModel`: `request` and `request_stream` for every engine in this process. Start at `_open`.

An engine's `model.py` subclasses `LocalModel` with `engine_key` and `make_engine`.
"""

from __future__ import annotations

import threading
import weakref
from abc import abstractmethod
from collections.abc import AsyncGenerator, Collection, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager
from os import PathLike
from typing import Any, ClassVar, Unpack

from ...exceptions import UserError
from ...messages import ModelMessage, ModelResponse
from ...profiles import ModelProfile
from ...profiles.local import local_profile
from ...settings import ModelSettings
from ...streaming.draft import ResponseDraft
from ...transport import Deadlines
from ...transport.deadlines import DeadlineExceeded, Watchdog
from ...usage import RequestUsage
from ...wire.files import download_files, with_stand_ins
from ...wire.prepare import PreparedRequest, PreparingModel, RequestPreview
from .. import ModelRequestParameters, StreamedResponse
from ..description import RequestDescription
from ..options import ModelOptions
from .adapters import choose_adapter
from .decode import ResponseDecoder
from .describe import describe
from .encode import EncodedRequest, RequestEncoder
from .engine import Job, Loaded, Prompt, Sampling
from .leases import Lease
from .loop_turn import run_blocking
from .options import LocalOptions, read_local_options
from .sampling import get_stop_sequences, resolve_max_tokens, sampling_from
from .stream import LocalStream, make_timeout_error
from .token_decoder import TokenDecoder
from .worker import WorkerEngine

__all__ = ('SHARED_SETTINGS', 'LocalModel')

SHARED_SETTINGS = frozenset(
    (
        *('max_tokens', 'temperature', 'top_p', 'top_k', 'seed', 'presence_penalty', 'frequency_penalty', 'logit_bias'),
        *('stop_sequences', 'thinking', 'tool_choice', 'constraint'),
    )
)
"""The shared settings that every engine supports."""

MAX_LOOP_CHARACTERS = 20_000
"""Maximum length of a prompt to tokenize on the event loop, which takes a millisecond; longer ones go to a thread."""

MAX_LOOP_MESSAGES = 100
"""Maximum number of messages to encode on the event loop."""


class LocalModel(PreparingModel):
    """A model that runs in this process. An engine's `model.py` subclasses this."""

    supported_settings: ClassVar[frozenset[str]] = SHARED_SETTINGS
    own_settings: ClassVar[Collection[str] | None] = ()

    def __init__(self, model_name: str | PathLike[str] | None = None, **options: Unpack[LocalOptions]) -> None:
        given = read_local_options(type(self), model_name, options, self.own_settings or ())
        super().__init__(settings=given.settings, profile=options.get('profile'))
        self._model_name = given.model_name
        self._message_facts = self._describe_messages(given.roles, given.flatten)
        self._options = options
        self.adapters: Mapping[str, str] = {}  # the name or folder of each, by the name that requests use
        self._lease: Lease | None = None
        self._lease_lock = threading.Lock()
        self._encoders: weakref.WeakKeyDictionary[Any, RequestEncoder] = weakref.WeakKeyDictionary()

    # for the subclass of an engine

    @abstractmethod
    def engine_key(self) -> Hashable:
        """Return a key that is equal for model objects that share an engine."""

    @abstractmethod
    def make_engine(self) -> WorkerEngine:
        """Return a new engine, which has not loaded the model."""

    def sampling(self, settings: ModelSettings, loaded: Loaded) -> Sampling:
        """Return the sampling parameters of a request. Engines with parameters of their own override this."""
        return sampling_from(
            settings, loaded.sampling, prefix=self.settings_prefix, vocabulary_size=loaded.vocabulary_size
        )

    # for callers

    @property
    def model_name(self) -> str:
        return self._model_name

    @property
    def system(self) -> str:
        """The name of the engine in responses: `'transformers'`, `'mlx'`, `'vllm'` or `'llamacpp-local'`."""
        return self.settings_prefix.removesuffix('_')

    @property
    def engine(self) -> WorkerEngine:
        """The engine, which all model objects with an equal `engine_key` share."""
        with self._lease_lock:
            if self._lease is None:
                self._lease = lease = Lease(self.engine_key(), self.make_engine)
                weakref.finalize(self, lease.abandon)
            return self._lease.engine

    def _own_profile(self) -> ModelProfile:
        return local_profile(self.model_name)

    async def load(self) -> Loaded:
        """Load the model now, instead of with the first request. Concurrent calls share one load."""
        return await self.engine.load()

    def preview(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None = None,
        parameters: ModelRequestParameters | None = None,
    ) -> RequestPreview:
        """Encode a request without running it. This needs the chat template: a model that is not loaded is not read."""
        request = self.prepare(messages, settings, parameters)
        self._choose_adapter(request)
        loaded = None if self._lease is None else self._lease.engine.loaded
        if loaded is None:
            warning = f'the chat template of {self.model_name!r} was not read: await load() before to check it too'
            return RequestPreview(list(request.messages), [*request.warnings, warning])
        request.messages = with_stand_ins(request.messages, lambda _: True)
        encoded = self._get_encoder(loaded).encode(request)
        return RequestPreview((encoded.text, encoded.images), request.warnings)

    def describe_request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> RequestDescription:
        """Return the messages, settings and tools as the engine gets them, with the options of the model.

        An option that is an object, such as a loaded model, is another one in each process.
        """
        request = self.prepare(messages, model_settings, model_request_parameters)
        options = {
            name: value
            for name, value in self._options.items()
            if name not in ('settings', 'profile', *ModelOptions.__annotations__)
        }
        return describe(request, self.model_id, {'engine': self.engine_key(), 'options': options})

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        request = self.prepare(messages, model_settings, model_request_parameters)
        stream = await self._open(request)
        try:
            await stream.read_all()
            return stream.get()
        finally:
            await stream.close()

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        request = self.prepare(messages, model_settings, model_request_parameters, stream=True)
        stream = await self._open(request)
        try:
            yield stream
        finally:
            await stream.cancel()

    async def count_tokens(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> RequestUsage:
        """Return the number of tokens of the rendered prompt. This loads the model."""
        request = self.prepare(messages, model_settings, model_request_parameters)
        watchdog = Watchdog(Deadlines(Deadlines.from_settings(request.settings).timeout))
        try:
            with watchdog:
                _, _, prompt = await self._encode(request)
        except DeadlineExceeded as exceeded:
            raise make_timeout_error(self.model_name, self.system, exceeded) from None
        finally:
            watchdog.close()
        return RequestUsage(input_tokens=len(prompt.tokens))

    async def aclose(self) -> None:
        """Release the engine. It is closed, and its memory freed, if no other model object uses it.

        The model can be used again: its next request loads it again.
        """
        if (engine := self._release_engine()) is not None:
            await engine.aclose()

    def _release_engine(self) -> WorkerEngine | None:
        """Release the engine; return it if this was its last user, which must close it."""
        with self._lease_lock:
            lease, self._lease = self._lease, None
        return None if lease is None else lease.release()

    async def _open(self, request: PreparedRequest) -> LocalStream:
        """Submit a job for the request; return its stream. The deadlines include loading and the queue."""
        deadlines = Deadlines.from_settings(request.settings)
        watchdog = Watchdog(deadlines if request.stream else Deadlines(deadlines.timeout))
        job: Job | None = None
        try:
            with watchdog:
                job, encoded = await self._submit(request)
        except DeadlineExceeded as exceeded:
            if job is not None:  # the deadline passed after the job was submitted
                self.engine.cancel(job)
            raise make_timeout_error(self.model_name, self.system, exceeded) from None
        finally:
            watchdog.close()
        draft = ResponseDraft(self.model_name, self.system, None, request.warnings)
        decoder = ResponseDecoder(draft, calls=encoded.calls, tags=encoded.tags, tools=request.parameters.tools)
        return LocalStream(request, job, decoder, draft, watchdog=watchdog, cancel_job=self.engine.cancel)

    async def _submit(self, request: PreparedRequest) -> tuple[Job, EncodedRequest]:
        """Encode the request and submit a job for it."""
        loaded, encoded, prompt = await self._encode(request)
        job = await self._make_job(request, loaded, encoded, prompt)
        try:
            await self.engine.submit(job)
        except BaseException:
            self.engine.cancel(job)
            raise
        return job, encoded

    async def _encode(self, request: PreparedRequest) -> tuple[Loaded, EncodedRequest, Prompt]:
        """Download files, load the model, and render the prompt of the request."""
        self._choose_adapter(request)
        request.messages = await download_files(request.messages, lambda _: True)  # engines take no URLs
        loaded = await self.engine.load()
        encoder = self._get_encoder(loaded)
        is_slow = len(request.messages) > MAX_LOOP_MESSAGES
        encoded = await run_blocking(lambda: encoder.encode(request), is_slow=is_slow)
        is_slow = bool(encoded.images) or len(encoded.text) > MAX_LOOP_CHARACTERS
        prompt = await run_blocking(lambda: loaded.encode(encoded.text, encoded.images), is_slow=is_slow)
        return loaded, encoded, prompt

    def _choose_adapter(self, request: PreparedRequest) -> str | None:
        return choose_adapter(request.settings, self.settings_prefix, self.adapters)

    def _get_encoder(self, loaded: Loaded) -> RequestEncoder:
        encoder = self._encoders.get(loaded.tokenizer)
        if encoder is None:
            encoder = RequestEncoder(loaded.tokenizer, takes_images=loaded.takes_images, options=self._options)
            self._encoders[loaded.tokenizer] = encoder
        return encoder

    async def _make_job(self, request: PreparedRequest, loaded: Loaded, encoded: EncodedRequest, prompt: Prompt) -> Job:
        tokenizer, constraint = loaded.tokenizer, encoded.constraint
        if not prompt.tokens:
            raise UserError('The prompt has no tokens: the conversation and the chat template render no text')
        if constraint is not None and constraint.kind not in loaded.constraints:
            raise UserError(f'{self.system!r} does not support {constraint.kind} constraints for {self.model_name!r}')
        matcher = None
        if constraint is not None and (grammars := loaded.grammars) is not None:
            is_slow = not grammars.is_compiled(constraint)
            strict = constraint is request.settings.get('constraint')
            matcher = await run_blocking(lambda: grammars.matcher(constraint, strict=strict), is_slow=is_slow)
            for warning in matcher.warnings:
                request.note_change(f'the {constraint.kind} constraint cannot enforce everything: {warning}')
        sampling = self.sampling(request.settings, loaded)
        for warning in loaded.generation.list_warnings(drawn=sampling.temperature > 0):
            request.note_change(warning)
        length = len(prompt.tokens)
        max_tokens = loaded.generation.get_max_tokens(request.settings, self._options, length)
        hidden = frozenset(id for id, text in tokenizer.special_tokens.items() if text not in encoded.visible_tokens)
        return Job(
            prompt,
            sampling=sampling,
            max_tokens=resolve_max_tokens(max_tokens, length, loaded.context_length, model=self),
            decoder=TokenDecoder(
                tokenizer.decode,
                eos=loaded.eos,
                hidden=hidden,
                stop_sequences=[*get_stop_sequences(request.settings), *loaded.generation.stop_strings],
            ),
            constraint=constraint,
            matcher=matcher,
            streamed=request.stream,
            adapter=self._choose_adapter(request),
        )
