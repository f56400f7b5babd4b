"""The runner: one task per job in vLLM's event loop, which runs until a job has changed.

vLLM batches by itself, in another process. To end a response early, its task is cancelled, and vLLM aborts the request
(`AsyncLLM.generate` in vllm/v1/engine/async_llm.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import aclosing
from itertools import count
from typing import Any

from ...exceptions import ContextLengthError, LLMError, ModelAPIError, UserError
from ..local import Job, Prompt
from .constraints import encode_constraint
from .library import import_vllm
from .load import Core
from .logprobs import decode_logprobs
from .sampling import VLLMSampling, encode_sampling

__all__ = ('FINISH_REASONS', 'VLLMRunner', 'request_error')

FINISH_REASONS: dict[str, str] = {'stop': 'eos', 'length': 'length', 'repetition': 'repetition'}
"""vLLM's finish reasons and the names that our engines share. `abort` (vllm-project/vllm#57082) and `error` fail the
job: its response is incomplete."""

TOO_LONG = 'maximum model length'
"""A part of vLLM's error for a prompt that is longer than the model's context."""

INVALID_REQUEST = (ValueError, TypeError, NotImplementedError)
"""The errors that vLLM raises for an invalid request, in addition to its own classes."""

_request_numbers = count()


class VLLMRunner:
    """Submits jobs to vLLM, and passes the tokens that it returns to them."""

    def __init__(self, model_name: str, core: Core, decode: Callable[[Sequence[int]], str]) -> None:
        self.slots: int = core.slots
        self._model_name = model_name
        self._core = core
        self._decode = decode
        self._params = import_vllm('sampling_params')
        self._tasks: dict[Job, asyncio.Task[None]] = {}
        self._changed: dict[Job, None] = {}
        self._engine_death: Exception | None = None
        self._client_error: type[Exception] = import_vllm('exceptions').VLLMClientError
        self._dead_error: type[Exception] = import_vllm('v1.engine.exceptions').EngineDeadError

    def add(self, job: Job) -> None:
        params = self._make_params(job)
        self._tasks[job] = self._core.loop.create_task(self._generate(job, params))

    def remove(self, job: Job) -> None:
        """Abort the request of a job, and wait until vLLM knows."""
        task = self._tasks.get(job)
        if task is not None:
            task.cancel()
            self._core.loop.run_until_complete(asyncio.wait([task]))
            self._changed.pop(job, None)

    def step(self) -> Collection[Job]:
        """Wait until a job has changed or the thread is woken. Return the jobs that changed."""
        self._core.loop.run_until_complete(self._wait_until_woken())
        if self._engine_death is not None:
            raise self._engine_death
        changed, self._changed = self._changed, {}
        return changed

    async def _wait_until_woken(self) -> None:
        await self._core.wake_event.wait()
        self._core.wake_event.clear()

    # one job

    def _make_params(self, job: Job) -> Any:
        """Build vLLM's `SamplingParams` for a job. Raises `UserError` if vLLM rejects a field."""
        params = self._params
        needs_deltas = job.streamed or job.decoder.has_stop_sequences
        kind = params.RequestOutputKind.DELTA if needs_deltas else params.RequestOutputKind.FINAL_ONLY
        try:
            constraint = job.constraint and params.StructuredOutputsParams(**encode_constraint(job.constraint))
            return params.SamplingParams(**encode_sampling(job), structured_outputs=constraint, output_kind=kind)
        except LLMError:
            raise
        except Exception as error:
            raise request_error(self._model_name, error) from error

    async def _generate(self, job: Job, params: Any) -> None:
        """Generate one response to its end. An error fails the job; a dead engine fails the runner's next step."""
        prompt: dict[str, Any] = {'prompt_token_ids': list(job.prompt.tokens)}
        if job.prompt.inputs:
            prompt['multi_modal_data'] = dict(job.prompt.inputs)
        request_id = f'pydantic_llm-{next(_request_numbers)}'
        try:
            adapter = self._core.adapters.get(job.adapter)
            generating = self._core.llm.generate(prompt, params, request_id, lora_request=adapter)
            async with aclosing(generating) as outputs:
                async for output in outputs:
                    self._add_output(job, output)
                    if job.done:
                        break
                    self._mark_changed(job)
            job.fail(ModelAPIError(self._model_name, 'vLLM ended the response without a finish reason', retryable=True))
        except self._dead_error as error:
            self._engine_death = error
        except self._client_error as error:
            job.fail(request_error(self._model_name, error))
        except Exception as error:  # noqa: BLE001 -- raised where the job is awaited
            job.fail(self._make_error(job, error))
        finally:
            self._tasks.pop(job, None)
            self._mark_changed(job)

    def _mark_changed(self, job: Job) -> None:
        self._changed[job] = None
        self._core.wake_event.set()

    def _make_error(self, job: Job, error: Exception) -> Exception:
        """Return the error of a failed job: `UserError` if the request was invalid, else a retryable one."""
        # `AsyncLLM.generate` raises `EngineGenerateError` from the error itself.
        cause = error.__cause__ or error
        if isinstance(cause, INVALID_REQUEST) and not job.output_tokens:
            return request_error(self._model_name, cause)
        message = f'vLLM could not generate the response: {type(cause).__name__}: {cause}'
        failure = ModelAPIError(self._model_name, message, provider_name='vllm', retryable=True)
        failure.__cause__ = error
        return failure

    # outputs

    def _add_output(self, job: Job, output: Any) -> None:
        """Add the tokens of a `RequestOutput` to a job. Finish or fail the job if it is the last output."""
        if output.num_cached_tokens is not None:
            job.cached_tokens = output.num_cached_tokens
        if job.prompt.inputs and output.prompt_token_ids:
            job.prompt = Prompt(output.prompt_token_ids)  # with the tokens that vLLM inserted for images
        [completion] = output.outputs
        tokens = list(completion.token_ids)
        stop = completion.stop_reason if completion.stop_reason in _stop_token_ids(job) else None
        for token in tokens if stop is None else tokens[:-1]:
            if not job.add_token(token):
                break
        if completion.logprobs is not None:
            self._add_logprobs(job, tokens, completion.logprobs)
        if stop is not None and not job.done:
            job.output_tokens += 1
            job.details['stop_token_id'] = stop
            job.finish('stop_sequence')
        elif completion.finish_reason in FINISH_REASONS:
            job.finish(FINISH_REASONS[completion.finish_reason])
        elif completion.finish_reason is not None:
            job.fail(self._make_error(job, RuntimeError(f'the request ended with {completion.finish_reason!r}')))

    def _add_logprobs(self, job: Job, tokens: list[int], by_token: Any) -> None:
        sampling = job.sampling
        count = sampling.logprobs if isinstance(sampling, VLLMSampling) and sampling.logprobs else 0
        shown = tokens[:-1] if job.decoder.end_reason == 'eos' else tokens
        decoded = decode_logprobs(shown, by_token, count, self._decode)
        job.details.setdefault('logprobs', []).extend(decoded)


def _stop_token_ids(job: Job) -> Collection[int]:
    sampling = job.sampling
    return sampling.fields.get('stop_token_ids', ()) if isinstance(sampling, VLLMSampling) else ()


def request_error(model_name: str, error: Exception) -> LLMError:
    """Return our error for a request that vLLM rejects: `ContextLengthError` or `UserError`."""
    if TOO_LONG in f'{error}':
        return ContextLengthError(400, model_name, message=f'{error}', provider_name='vllm', retryable=False)
    return UserError(f'vLLM cannot do this request to {model_name!r}: {error}')
