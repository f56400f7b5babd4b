"""vLLM: models in this process and the processes that vLLM starts, on one machine or, over Ray, on several.

`model` is the model class, `settings` its settings, `engine` runs one loaded model in a thread of its own, `load`
starts vLLM's engine in an event loop of that thread, `library` imports vLLM. The `runner` submits jobs to vLLM, which
batches them itself, and passes their tokens on. `sampling` and `constraints` encode what a request asks for, `logprobs`
decodes log probabilities.

These file names have the same meaning in `models.transformers` and `models.mlx`; their runners are in `batch`, and
their `rows` and `choose` are vLLM's own work here. What all engines share is in `models.local`. https://docs.vllm.ai
"""

from __future__ import annotations

from .model import VLLMModel
from .settings import VLLMModelSettings

__all__ = ('VLLMModel', 'VLLMModelSettings')
