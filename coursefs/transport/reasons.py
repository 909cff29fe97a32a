"""Why a connection failed, in words for a person."""

from __future__ import annotations

import errno
import logging
import os
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from coursefs.errors import Unreachable
from coursefs.transport.http_library import httpx

log = logging.getLogger(__name__)

_CLOCK = "check the clock of this machine: date"
_AUTHORITY = "if it is trustworthy, install its authority's certificate on this system, or name it in SSL_CERT_FILE"
_OTHER_NAME = (
    "a network with its own sign-in page (captive portal) does that: open a browser and sign in to the network"
)
#: by OpenSSL's number of the verification error (x509_vfy.h)
_CERTIFICATES = {
    9: f"is not valid yet; {_CLOCK}",
    10: f"has expired; {_CLOCK}",
    18: f"is self-signed; {_AUTHORITY}",
    19: f"is from an unknown authority; {_AUTHORITY}",
    20: f"is from an unknown authority; {_AUTHORITY}",
    21: f"is from an unknown authority; {_AUTHORITY}",
    23: "has been revoked",
    62: f"is for another host; {_OTHER_NAME}",
    64: f"is for another address; {_OTHER_NAME}",
}
_NO_COMMON_TLS = "it speaks no version of TLS that is still safe (coursefs needs 1.2 or 1.3)"
_TLS = {
    "UNSUPPORTED_PROTOCOL": _NO_COMMON_TLS,
    "TLSV1_ALERT_PROTOCOL_VERSION": _NO_COMMON_TLS,
    "WRONG_VERSION_NUMBER": "it does not speak TLS on this port",
    "HTTP_REQUEST": "it does not speak TLS on this port",
    "UNEXPECTED_EOF_WHILE_READING": "it closed the connection during the TLS handshake",
}
_NETWORK = {
    errno.ECONNREFUSED: "it refuses the connection",
    errno.ECONNRESET: "it reset the connection",
    errno.EPIPE: "it reset the connection",
    errno.ENETUNREACH: "no route to it; is there a network?",
    errno.EHOSTUNREACH: "no route to it; is there a network?",
    errno.ETIMEDOUT: "no answer",
    errno.EACCES: "this system does not allow the connection",
    errno.EPERM: "this system does not allow the connection",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
}


def reason_of(error: BaseException) -> str | None:
    """The reason of a failed connection, found in the causes of its error; None when they do not say."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            said = _CERTIFICATES.get(cause.verify_code, f"was refused: {_words(cause.verify_message)}")
            return f"its certificate {said}"
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            name = cause.reason or ""
            return _TLS.get(name, f"no secure connection: {_words(name)}" if name else "no secure connection")
        if isinstance(cause, socket.gaierror):
            if cause.errno == socket.EAI_AGAIN:
                return "names cannot be looked up now; is there a network?"
            return "no such host"
        if isinstance(cause, OSError) and cause.errno is not None and not isinstance(cause, socket.herror):
            return _NETWORK.get(cause.errno, os.strerror(cause.errno).lower())
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all its causes, the nearest first."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, *(one.exceptions if isinstance(one, BaseExceptionGroup) else ())]


def _words(name: str | None) -> str:
    """OpenSSL's own words, made safe for one line."""
    return "".join(c if c.isalnum() or c in " .,-" else " " for c in name or "").lower()[:100]


def unreachable(url: str, error: Exception, where: str) -> Unreachable:
    """The error to raise for one of httpx; `where`: the host with its proxy.  Logs what a person is not told."""
    reason = "connection failed" if isinstance(error, httpx.ConnectError) else "connection broken"
    if isinstance(error, httpx.ProxyError):
        reason = f"the proxy refuses: {_said(str(error))}"
    elif (known := reason_of(error)) is not None:
        reason = known
    said = str(error)
    log.debug(
        "request host=%s path=%s error=%s reason=%r",
        urlsplit(url).hostname,
        urlsplit(url).path,
        type(error).__name__,
        "" if "://" in said or "?" in said else said,  # an address may hold a signature
    )
    return Unreachable(f"cannot reach {where}: {reason}")


def _said(said: str) -> str:
    """A proxy's own words, made safe for one line; none where they hold a URL, which may hold a password."""
    return "no reason given" if "://" in said else "".join(c if c.isprintable() else " " for c in said)[:100]
