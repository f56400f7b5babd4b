"""vLLM: models in this process and the processes that vLLM starts, on one machine or, over Ray, on several.

Start at `model`; `engine` runs one loaded model, on top of `models.local`, and `load` starts vLLM in an event loop of
the engine's thread. The `runner` submits jobs to vLLM, which batches them itself, and passes their tokens on.
`sampling` and `constraints` encode what a request asks for, `logprobs` decodes log probabilities.
https://docs.vllm.ai
"""

from __future__ import annotations

from .model import VLLMModel
from .settings import VLLMModelSettings

__all__ = ('VLLMModel', 'VLLMModelSettings')
