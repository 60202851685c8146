"""Who may open which page."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django_htmx.middleware import HtmxDetails

from consentry.accounts.models import Person


class ConsoleRequest(HttpRequest):
    """A request of somebody who is signed in."""

    user: Person
    htmx: HtmxDetails


View = Callable[..., HttpResponseBase]


def require_role(role: str) -> Callable[[Callable[Concatenate[ConsoleRequest, ...], HttpResponseBase]], View]:
    """Let only people in whose role includes ``role``; others get the sign-in page or an explained refusal."""

    def decorate(view: Callable[Concatenate[ConsoleRequest, ...], HttpResponseBase]) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            person = request.user
            if not person.is_authenticated:
                if request.headers.get("HX-Request") == "true":
                    return HttpResponse(status=401, headers={"HX-Refresh": "true"})
                return redirect_to_login(request.get_full_path())
            if not person.may(role):
                raise PermissionDenied(role)
            return view(cast("ConsoleRequest", request), *args, **kwargs)

        return guarded

    return decorate
