"""`RouterModel`: one model, spread over several deployments of it.

`model` is the class, `deployment` one place where the model runs, `strategy` chooses among them, `state` and
`redis_state` keep what is known of their load, in this process or shared by several.
"""

from __future__ import annotations

from .deployment import Deployment
from .model import RouterModel, RouterModelSettings
from .strategy import Strategy

__all__ = ('Deployment', 'RouterModel', 'RouterModelSettings', 'Strategy')
