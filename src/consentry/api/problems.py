"""Errors as ``application/problem+json`` (RFC 9457), whoever raised them."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from consentry.core.errors import ConsentryError

PREFIX = "/api/"
CONTENT_TYPE = "application/problem+json"
SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "Ends in the code to search for."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened and what to do."},
    },
}


class Problem(Exception):  # the RFC's word
    """An error with its status and code."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


def problem(status: int, code: str, detail: str, **more: Any) -> HttpResponse:
    """``type`` is a relative reference that ends in the code to search for."""
    body = {"type": f"/problems/{code}", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    answer = HttpResponse(json.dumps(body, ensure_ascii=False), status=status, content_type=CONTENT_TYPE)
    if status == HTTPStatus.UNAUTHORIZED:
        answer["WWW-Authenticate"] = 'Bearer realm="consentry"'
    return answer


def register(api: NinjaAPI) -> None:
    """Answer every error of an operation with a problem."""

    def invalid(_: HttpRequest, error: ValidationError) -> HttpResponse:
        errors = [
            {"where": ".".join(str(part) for part in one["loc"] if part != "body"), "what": one["msg"], "in": str(one["loc"][0])}
            for one in error.errors
        ]
        said = "; ".join(f"{one['where']}: {one['what']}" for one in errors)
        return problem(422, "request_invalid", f"The request is not understood: {said}.", errors=errors)

    def refused(_: HttpRequest, error: ConsentryError) -> HttpResponse:
        return problem(409, error.code, f"{error.what} {error.remedy}")

    handlers: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
        ValidationError: invalid,
        ConsentryError: refused,
        Problem: lambda _, error: problem(error.status, error.code, error.detail),
        HttpError: lambda _, error: _known(error.status_code, str(error)),
        Http404: lambda _, error: problem(404, "not_found", "There is nothing at this address, or it belongs to another account."),
        DataError: lambda _, error: problem(422, "value_unusable", "A value holds a character, a date or a number that can't be stored."),
        AuthenticationError: lambda _, error: problem(
            401, "credentials_missing", "Send a token that is valid: Authorization: Bearer cst_… (consentry token create makes one)."
        ),
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)


_WORDS = {
    403: ("request_forged", "The anti-forgery token is missing: send X-CSRFToken, or use a bearer token."),
    405: ("method_not_allowed", "This address does not take this method."),
    500: ("server_error", "Something went wrong here; the log holds the details."),
}


def _known(status: int, said: str) -> HttpResponse:
    code, detail = _WORDS.get(status, ("request_refused", said))
    return problem(status, code, detail)


class ProblemMiddleware:
    """Turns what Django itself answers under ``/api/`` (a wrong method, a forged request, a fault) into problems."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        if not request.path.startswith(PREFIX) or answer.status_code < HTTPStatus.BAD_REQUEST:
            return answer
        if answer.get("Content-Type", "").startswith(CONTENT_TYPE):
            return answer
        made = _known(answer.status_code, HTTPStatus(answer.status_code).phrase)
        if "Allow" in answer:
            made["Allow"] = answer["Allow"]
        return made
