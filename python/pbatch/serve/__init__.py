"""Serving with Ray: bits are given up before requests are.

``app`` is the Ray Serve application, ``pbatch serve`` starts one; docs/serving.md is the page.
"""

from __future__ import annotations

from typing import Any

__all__ = ["app"]


def __getattr__(name: str) -> Any:
    if name == "app":  # Ray is imported only where it is needed
        from ._app import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
