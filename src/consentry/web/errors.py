"""Pages for what went wrong, each with what to do next and never a stack trace."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from consentry.accounts.models import Role


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: the address or the form was not understood."""
    return render(request, "errors/400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: the person's role does not reach; names the role that does."""
    needed = str(exception) if isinstance(exception, PermissionDenied) else ""
    return render(request, "errors/403.html", {"needed": Role(needed).label if needed in Role.values else ""}, status=403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: a form without its protection, most often one that was open for too long."""
    return render(request, "errors/csrf.html", status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: nothing there, or nothing this account may see."""
    return render(request, "errors/404.html", status=404)


def server_error(request: HttpRequest, *args: Any) -> HttpResponse:
    """500: our fault. Rendered without the request, because the database may be what failed."""
    return HttpResponse(render_to_string("errors/500.html"), status=500)
