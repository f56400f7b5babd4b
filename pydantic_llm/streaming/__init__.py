"""Fragments become a response.

Read `parts` (the five verbs of the parts manager), `draft` (a response under construction), `thinking` (thinking that
a model writes between tags).
"""

from __future__ import annotations
