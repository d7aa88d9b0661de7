"""How the key and the headers of an access get into requests: as late as possible."""

from __future__ import annotations

from collections.abc import Generator

import httpx

from executor.access import Access


class Letter(httpx.Auth):
    """Adds the key and the headers of an access to each request when it is sent.

    They are not headers of the client, because its `repr` shows those.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """See httpx."""
        request.headers.update(self._access.sent())
        yield request

    def hide(self, text: str) -> str:
        """See `Access.hide`."""
        return self._access.hide(text)


def hidden(client: httpx.AsyncClient, text: str) -> str:
    """Return what a server said to a client, without the secrets that it was sent."""
    return client.auth.hide(text) if isinstance(client.auth, Letter) else text
