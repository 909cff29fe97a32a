"""Options of ways to sign in that several platforms have."""

from __future__ import annotations

from coursefs.providers.platform import Option

#: `--cookies FILE`, in every form that `coursefs.providers.kit.cookies.cookies_of` takes
COOKIES = Option(
    name="cookies",
    metavar="FILE",
    help="The browser's cookies: cookies.txt, JSON, or a Cookie header; - is standard input.",
    question="File with the cookies (Enter: paste them here)",
    on_enter="-",
)
#: what `coursefs login` says of it on a terminal
COOKIES_SAYS = "Cookies that a browser add-on exports (cookies.txt, JSON), or a pasted Cookie header"
