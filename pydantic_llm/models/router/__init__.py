"""`RouterModel`: one model, spread over several deployments of it.

`deployment` is one model with its limits, `model` the class, `sequence` the deployments that are tried for a request,
`strategy` their order, `hedge` the second one that is asked if the first is slow, `cooldown` the time for which one
that failed is excluded. `state` and `redis_state` (with `redis_scripts`) hold the load, in this process or shared by
several.
"""

from __future__ import annotations

from .deployment import Deployment
from .model import RouterModel
from .sequence import RouterModelSettings
from .strategy import Strategy

__all__ = ('Deployment', 'RouterModel', 'RouterModelSettings', 'Strategy')
