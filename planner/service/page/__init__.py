"""The page for people: which strategy to use with how much compute, and the live traffic."""

from __future__ import annotations

from planner.service.page.routes import page_router

__all__ = ["page_router"]
