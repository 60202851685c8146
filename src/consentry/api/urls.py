"""The API as one object, and its addresses."""

from __future__ import annotations

from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from django.http import Http404, HttpRequest
from ninja import NinjaAPI, Router

from consentry.api import connections, inventory, plugins, policy, problems
from consentry.api.access import Session, Token

api = NinjaAPI(
    title="Consentry",
    version="1",
    description=f"Other people's apps inside a Microsoft 365 tenant. Consentry {version('consentry')}.",
    auth=[Token(), Session()],
    docs_url=None,
    openapi_url=None,
    urls_namespace="api",
)
problems.register(api)
api.add_router("/plugins", plugins.router)
api.add_router("", inventory.router)
api.add_router("", connections.router)
api.add_router("", policy.router)


rest = Router()
api.add_router("", rest)  # the last one: its second address takes whatever the others leave


def description() -> dict[str, Any]:
    """The OpenAPI description of all this, with the problems that every operation may answer with."""
    made = dict(api.get_openapi_schema())
    made["components"]["schemas"]["Problem"] = problems.SCHEMA
    content = {problems.CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in made["paths"].values():
        for operation in operations.values():
            for status in (400, 401, 403, 404, 409, 422):
                operation["responses"][status] = {"description": HTTPStatus(status).phrase, "content": content}
    return made


@rest.get("/openapi.json", include_in_schema=False)
def openapi(request: HttpRequest) -> dict[str, Any]:
    """The OpenAPI description of all this."""
    return description()


@rest.api_operation(["GET", "POST", "PUT", "PATCH", "DELETE"], "/{path:address}", include_in_schema=False)
def nothing(request: HttpRequest, address: str) -> None:
    """Everything else: 401 before 404, so that strangers learn nothing."""
    raise Http404
