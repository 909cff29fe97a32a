"""How one signs in: the token endpoint, the exchange of a token for a session, and the login page's own request."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from coursefs.demo.openedx.accounts import Accounts, OAuthError

_TWO_WEEKS = 14 * 86_400

Answer = Callable[[Request], Awaitable[Response]]


class SignIn:
    """The requests with which a session or a token is had; each changes nothing else."""

    def __init__(self, accounts: Accounts, lms: str) -> None:
        self._accounts = accounts
        self._lms = lms

    def routes(self) -> Sequence[tuple[str, Answer, tuple[str, ...]]]:
        """Path, what answers there, and methods."""
        return (
            ("/oauth2/access_token", self._access_token, ("POST",)),
            ("/oauth2/access_token/", self._access_token, ("POST",)),
            ("/oauth2/login/", self._exchange, ("POST",)),
            ("/csrf/api/v1/token", self._csrf, ("GET",)),
            ("/api/user/v1/account/login_session/", self._login, ("POST",)),
        )

    async def _access_token(self, request: Request) -> Response:
        try:
            return JSONResponse(self._accounts.grant(await _form(request)), headers={"Cache-Control": "no-store"})
        except OAuthError as error:
            return JSONResponse({"error": error.code}, error.status)

    async def _exchange(self, request: Request) -> Response:
        token = self._accounts.token(request.headers.get("authorization"))
        if token.grant != "password":
            message = "Only support DOT type access token with grant type password. "
            return JSONResponse({"error_code": "non_supported_token", "developer_message": message}, 401)
        return self._with_session(Response(status_code=204), token.user)

    async def _csrf(self, _: Request) -> Response:
        token = secrets.token_hex(32)
        response = JSONResponse({"csrfToken": token})
        response.set_cookie("csrftoken", token, max_age=364 * 86_400, path="/", samesite="lax")
        return response

    async def _login(self, request: Request) -> Response:
        """As the login page does it; the guard against forged requests wants its cookie, its header and a referer."""
        cookie = request.cookies.get("csrftoken", "")
        guarded = cookie and request.headers.get("x-csrftoken") == cookie
        if not guarded or not request.headers.get("referer", "").startswith(f"{self._lms}/"):
            return Response("<h1>403 Forbidden</h1>", 403, media_type="text/html")
        form = await _form(request)
        email, password = form.get("email", ""), form.get("password")
        user = email.removesuffix("@example.com")
        if not password or self._accounts.passwords.get(user) != password:
            body = {
                "success": False,
                "value": "Email or password is incorrect.",
                "error_code": "incorrect-email-or-password",
            }
            return JSONResponse(body, 400)
        return self._with_session(JSONResponse({"success": True, "redirect_url": f"{self._lms}/dashboard"}), user)

    def _with_session(self, response: Response, user: str) -> Response:
        session = self._accounts.open_session(user)
        response.set_cookie("sessionid", session, max_age=_TWO_WEEKS, path="/", httponly=True)
        response.set_cookie("csrftoken", secrets.token_hex(32), path="/")
        return response


async def _form(request: Request) -> Mapping[str, str]:
    """The fields of a form; nothing else is taken for one."""
    if request.headers.get("content-type") != "application/x-www-form-urlencoded":
        return {}
    return dict(parse_qsl((await request.body()).decode()))
