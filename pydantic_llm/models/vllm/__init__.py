"""vLLM: models in this process and the processes that it starts, on one machine or, over Ray, on several.

`model` is the class, `engine` the thread that its event loop lives in; `load` starts vLLM's own engine, `runner` gives
it the jobs and hands their tokens on. `sampling` and `constraints` say in vLLM's words what is asked of an answer,
`logprobs` says in ours what it tells of one. All else is shared with the other engines, in `models.local`.
https://docs.vllm.ai
"""

from __future__ import annotations

from .model import VLLMModel
from .settings import VLLMModelSettings

__all__ = ('VLLMModel', 'VLLMModelSettings')
