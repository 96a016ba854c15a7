"""What every answer of the page tells the browser to allow."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["CONTENT_SECURITY_POLICY", "HEADERS", "STATIC_HEADERS", "STREAM_HEADERS"]

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Nothing that stands in the page itself is run or styles it, and nothing comes from elsewhere."""

_EVERYWHERE: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # with `no-referrer` browsers send `Origin: null` with a form, which could be anybody's
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
HEADERS: Mapping[str, str] = {**_EVERYWHERE, "Cache-Control": "no-store", "Vary": "Cookie"}
STREAM_HEADERS: Mapping[str, str] = {**HEADERS, "X-Accel-Buffering": "no"}
"""nginx then passes on each event as it comes."""
STATIC_HEADERS: Mapping[str, str] = {**_EVERYWHERE, "Cache-Control": "no-cache"}
