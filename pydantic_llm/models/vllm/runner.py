"""Many answers at once: each job is a task in vLLM's event loop, which runs until something has come.

vLLM batches by itself, in another process. Stopping at what a caller does not want any more is ours: the task is
cancelled, and vLLM aborts the request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import aclosing
from itertools import count
from typing import Any

from ...exceptions import ContextLengthError, LLMError, ModelAPIError, UserError
from ..local import Job, Prompt
from .constraints import structured_fields
from .library import import_vllm
from .load import Core
from .logprobs import decode_logprobs
from .sampling import VLLMSampling, sampling_fields

__all__ = ('FINISH_REASONS', 'VLLMRunner', 'request_error')

FINISH_REASONS: dict[str, str] = {
    'stop': 'eos',
    'length': 'length',
    'repetition': 'repetition',
}
"""vLLM's words for the end of an answer, and those of our engines. `abort` and `error` are no ends."""

TOO_LONG = 'maximum model length'
"""What vLLM says of a conversation that is longer than the model reads."""

NO_SENSE = (ValueError, TypeError, NotImplementedError)
"""What vLLM also raises for a request that it cannot do, beside errors of its own."""

_numbers = count()


class VLLMRunner:
    """What gives jobs to vLLM, and takes their tokens."""

    def __init__(self, model_name: str, core: Core, decode: Callable[[Sequence[int]], str]) -> None:
        self.slots = core.slots
        """How many answers it can write at once."""
        self._model_name = model_name
        self._core = core
        self._decode = decode
        self._params = import_vllm('sampling_params')
        self._tasks: dict[Job, asyncio.Task[None]] = {}
        self._told: dict[Job, None] = {}
        self._dead: Exception | None = None
        self._client_error: type[Exception] = import_vllm('exceptions').VLLMClientError
        self._dead_error: type[Exception] = import_vllm('v1.engine.exceptions').EngineDeadError

    def add(self, job: Job) -> None:
        """Give a job to vLLM. Raises `UserError` for settings that it does not take."""
        params = self._sampling_params(job)
        self._tasks[job] = self._core.loop.create_task(self._write(job, params))

    def remove(self, job: Job) -> None:
        """Abort a request, and wait until vLLM has been told."""
        task = self._tasks.get(job)
        if task is not None:
            task.cancel()
            self._core.loop.run_until_complete(asyncio.wait([task]))
            self._told.pop(job, None)

    def step(self) -> Collection[Job]:
        """Wait for tokens, or for something to do in this thread. Gives the jobs that got something."""
        self._core.loop.run_until_complete(self._arrival())
        if self._dead is not None:
            raise self._dead
        told, self._told = self._told, {}
        return told

    async def _arrival(self) -> None:
        await self._core.news.wait()
        self._core.news.clear()

    # one job

    def _sampling_params(self, job: Job) -> Any:
        params = self._params
        by_pieces = job.streamed or job.writer.has_stop_sequences
        kind = params.RequestOutputKind.DELTA if by_pieces else params.RequestOutputKind.FINAL_ONLY
        try:
            held = job.constraint and params.StructuredOutputsParams(**structured_fields(job.constraint))
            return params.SamplingParams(**sampling_fields(job), structured_outputs=held, output_kind=kind)
        except LLMError:
            raise
        except Exception as error:
            raise request_error(self._model_name, error) from error

    async def _write(self, job: Job, params: Any) -> None:
        """One answer, to its end."""
        prompt: dict[str, Any] = {'prompt_token_ids': list(job.prompt.tokens)}
        if job.prompt.inputs:
            prompt['multi_modal_data'] = dict(job.prompt.inputs)
        try:
            async with aclosing(self._core.llm.generate(prompt, params, f'pydantic_llm-{next(_numbers)}')) as outputs:
                async for output in outputs:
                    self._take(job, output)
                    if job.done:
                        break
                    self._tell(job)
            job.fail(ModelAPIError(self._model_name, 'vLLM ended the answer without an end', retryable=True))
        except self._dead_error as error:
            self._dead = error
        except self._client_error as error:
            job.fail(request_error(self._model_name, error))
        except Exception as error:  # noqa: BLE001 -- raised where the job is awaited
            job.fail(self._failed(job, error))
        finally:
            self._tasks.pop(job, None)
            self._tell(job)

    def _tell(self, job: Job) -> None:
        self._told[job] = None
        self._core.news.set()

    def _failed(self, job: Job, error: Exception) -> Exception:
        cause = error.__cause__ or error
        if isinstance(cause, NO_SENSE) and not job.output_tokens:
            return request_error(self._model_name, cause)
        what = f'vLLM could not write the answer: {type(cause).__name__}: {cause}'
        failed = ModelAPIError(self._model_name, what, provider_name='vllm', retryable=True)
        failed.__cause__ = error
        return failed

    # what vLLM tells of it

    def _take(self, job: Job, output: Any) -> None:
        """Read the tokens that came, and whether they are the last."""
        if output.num_cached_tokens is not None:
            job.cached_tokens = output.num_cached_tokens
        if job.prompt.inputs and output.prompt_token_ids:
            job.prompt = Prompt(output.prompt_token_ids)  # an image is as many tokens as vLLM made of it
        [answer] = output.outputs
        tokens = list(answer.token_ids)
        stop = answer.stop_reason if answer.stop_reason in _stop_tokens(job) else None
        for token in tokens if stop is None else tokens[:-1]:
            if not job.add_token(token):
                break
        if answer.logprobs is not None:
            self._tell_logprobs(job, tokens, answer.logprobs)
        if stop is not None and not job.done:
            job.output_tokens += 1
            job.details['stop_token_id'] = stop
            job.finish('stop_sequence')
        elif answer.finish_reason in FINISH_REASONS:
            job.finish(FINISH_REASONS[answer.finish_reason])
        elif answer.finish_reason is not None:
            job.fail(self._failed(job, RuntimeError(f'the request ended with {answer.finish_reason!r}')))

    def _tell_logprobs(self, job: Job, tokens: list[int], found: Any) -> None:
        sampling = job.sampling
        count = sampling.logprobs if isinstance(sampling, VLLMSampling) and sampling.logprobs else 0
        shown = tokens[:-1] if job.writer.ended_by == 'eos' else tokens
        told = decode_logprobs(shown, found, count, self._decode)
        job.details.setdefault('logprobs', []).extend(told)


def _stop_tokens(job: Job) -> Collection[int]:
    sampling = job.sampling
    return sampling.fields.get('stop_token_ids', ()) if isinstance(sampling, VLLMSampling) else ()


def request_error(model_name: str, error: Exception) -> LLMError:
    """What vLLM says against a request, in our words."""
    if TOO_LONG in f'{error}':
        return ContextLengthError(400, model_name, message=f'{error}', provider_name='vllm', retryable=False)
    return UserError(f'vLLM cannot do this request to {model_name!r}: {error}')
