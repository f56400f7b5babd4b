"""llama.cpp: models in GGUF files, in this process, on CPUs and GPUs, many requests at once.

Start at `model`; `engine` runs one loaded model, on top of `models.local`. `load` makes a `handles.Weights` and a
`handles.Context` of a file (`files`), with its `tokenizer` and chat template (`templates`). The runner, `batch`, puts
the responses into one call of llama.cpp (`arrays`), each in a sequence of its own (`sequences`, which also share the
tokens that prompts begin with): `rows.Row` is one response, and `choose` chooses its next token.
https://github.com/abetlen/llama-cpp-python
"""

from __future__ import annotations

from .model import LlamaCppModel
from .settings import LlamaCppModelSettings

__all__ = ('LlamaCppModel', 'LlamaCppModelSettings')
