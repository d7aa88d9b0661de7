"""The page itself: one HTML file, with a security policy that lets no other code run."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi.responses import Response

from planner.report.html import environment

# The parts of the script, in this order: later parts call earlier ones.
_SCRIPTS = ("requests.js", "controls.js", "answer.js", "traffic.js", "start.js")
_FOLDER = Path(__file__).parent / "parts"


@dataclass(frozen=True, slots=True)
class StaticPage:
    """The page as it is sent.

    Attributes:
        content: HTML.
        etag: entity tag; it changes with the content.
        policy: content security policy: it allows the page's own style and script, by their
            digests, and requests to its own server; no inline style, no frames, no forms.
    """

    content: bytes
    etag: str
    policy: str

    @classmethod
    def read(cls) -> StaticPage:
        """Build the page from the files of this package."""
        shared = environment()
        style, _, _ = shared.loader.get_source(shared, "style.css")  # type: ignore[union-attr]
        style += (_FOLDER / "page.css").read_text(encoding="utf-8")
        script = "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS)
        template = shared.from_string((_FOLDER / "page.html.j2").read_text(encoding="utf-8"))
        content = template.render(style=style, script=script).encode()
        policy = (
            f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
            "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        return cls(content, f'"{hashlib.sha256(content).hexdigest()[:32]}"', policy)

    def response(self, if_none_match: str | None) -> Response:
        """Return the page, or status 304 if the browser's copy is up to date.

        Args:
            if_none_match: header of the request; None: it has none.
        """
        headers = {
            "ETag": self.etag,
            "Cache-Control": "no-cache",
            "Content-Security-Policy": self.policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        tags = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
        if self.etag in tags or "*" in tags:
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type="text/html", headers=headers)


def _digest(text: str) -> str:
    """Return the digest of a style or script as a content security policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
