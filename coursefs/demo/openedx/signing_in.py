"""The sign-in: the token endpoint, the exchange of a token for a session, and the request of the login page."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from coursefs.demo.openedx import pages
from coursefs.demo.openedx.accounts import EXCHANGED, LOGGED_IN, Accounts, OAuthError
from coursefs.demo.openedx.site import Site

Answer = Callable[[Request], Awaitable[Response]]


class SignInRoutes:
    """The routes that issue a session or a token; they change nothing else."""

    def __init__(self, accounts: Accounts, site: Site, lms: str) -> None:
        self._accounts = accounts
        self._site = site
        self._lms = lms

    def routes(self) -> Sequence[tuple[str, Answer, tuple[str, ...]]]:
        """Path, endpoint and methods of each route."""
        return (
            ("/oauth2/access_token", self._access_token, ("POST",)),
            ("/oauth2/access_token/", self._access_token, ("POST",)),
            ("/oauth2/login/", self._exchange, ("POST",)),
            ("/csrf/api/v1/token", self._csrf, ("GET",)),
            ("/api/user/v2/account/login_session/", self._login, ("POST",)),
            ("/api/user/v1/account/login_session/", self._login, ("POST",)),
        )

    async def _access_token(self, request: Request) -> Response:
        try:
            return JSONResponse(self._accounts.grant(await _form(request)), headers={"Cache-Control": "no-store"})
        except OAuthError as error:
            return JSONResponse({"error": error.code}, error.status)

    async def _exchange(self, request: Request) -> Response:
        """A session in exchange for a token. Without third-party sign-in a stock site fails here."""
        if not self._site.third_party_auth:
            return HTMLResponse(pages.ERROR, 500)
        token = self._accounts.token(request.headers.get("authorization"))
        if token.grant != "password":
            message = (
                "Only Django Oauth Toolkit access tokens for applications which are trusted (with "
                '"skip_authentication" set to True, or with grant type password) are supported.'
            )
            return JSONResponse({"error_code": "non_supported_token", "developer_message": message}, 401)
        return self._with_session(Response(status_code=204), token.user, EXCHANGED)

    async def _csrf(self, _: Request) -> Response:
        token = secrets.token_hex(32)
        response = JSONResponse({"csrfToken": token})
        response.set_cookie("csrftoken", token, max_age=364 * 86_400, path="/", samesite="lax")
        return response

    async def _login(self, request: Request) -> Response:
        """The request of the login page; the CSRF protection needs its cookie, its header and a referer."""
        cookie = request.cookies.get("csrftoken", "")
        guarded = cookie and request.headers.get("x-csrftoken") == cookie
        if not guarded or not request.headers.get("referer", "").startswith(f"{self._lms}/"):
            return Response("<h1>403 Forbidden</h1>", 403, media_type="text/html")
        form = await _form(request)
        name = "email_or_username" if "/v2/" in request.url.path else "email"
        email, password = form.get(name, ""), form.get("password")
        user = email.removesuffix("@example.com")
        if not password or self._accounts.passwords.get(user) != password:
            body = {
                "success": False,
                "value": "Email or password is incorrect.",
                "error_code": "incorrect-email-or-password",
                "context": {"failure_count": 1},
                "email": user,
            }
            return JSONResponse(body, 400)
        response = JSONResponse({"success": True, "redirect_url": None})
        response.set_cookie("edxloggedin", "true", max_age=LOGGED_IN, path="/")
        for name in ("edx-user-info", "edx-jwt-cookie-header-payload", "edx-jwt-cookie-signature"):
            response.set_cookie(name, secrets.token_urlsafe(24), max_age=3600, path="/")
        return self._with_session(response, user, LOGGED_IN)

    def _with_session(self, response: Response, user: str, life: int) -> Response:
        session = self._accounts.open_session(user, life)
        response.set_cookie("csrftoken", secrets.token_hex(32), path="/")
        response.headers.append("Set-Cookie", 'openedx-language-preference=""; Max-Age=0; Path=/')
        response.set_cookie("sessionid", session, max_age=life, path="/", httponly=True)
        return response


async def _form(request: Request) -> Mapping[str, str]:
    """The fields of a form body; any other body has none."""
    if request.headers.get("content-type") != "application/x-www-form-urlencoded":
        return {}
    return dict(parse_qsl((await request.body()).decode()))
