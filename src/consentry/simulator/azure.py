"""Azure Resource Manager: subscriptions and the roles that service principals hold there.

An app sees what it was given a role for, and nothing else: without one its list of subscriptions is empty and no error.
Sources: learn.microsoft.com/rest/api/resources/subscriptions/list, learn.microsoft.com/rest/api/authorization.
"""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from consentry.simulator.collections import Access
from consentry.simulator.directory import Directory
from consentry.simulator.errors import GraphError
from consentry.simulator.tokens import AZURE, Tokens

_PAGE = 20
OWNER, CONTRIBUTOR, READER = (
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "acdd72a7-3385-48ef-bd42-f606fba81ae7",
)
_ROLES = {OWNER: "Owner", CONTRIBUTOR: "Contributor", READER: "Reader"}


def subscriptions(tenant_id: str) -> list[dict[str, Any]]:
    """``/subscriptions``'s rows."""
    made = []
    for name in ("Production", "Sandbox"):
        one = str(uuid.uuid5(uuid.UUID(tenant_id), f"subscription {name}"))
        made.append({"id": f"/subscriptions/{one}", "subscriptionId": one, "tenantId": tenant_id, "displayName": name, "state": "Enabled"})
    return made


def root(tenant_id: str) -> str:
    """The scope above all subscriptions: the root management group, whose id is the tenant's."""
    return f"/providers/Microsoft.Management/managementGroups/{tenant_id}"


def assignment(directory: Directory, principal: str, role: str, scope: str) -> None:
    """Give a service principal a role on a scope such as ``/subscriptions/{id}/resourceGroups/web``."""
    row = {
        "id": f"{scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid5(uuid.NAMESPACE_URL, principal + role + scope)}",
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role}",
            "principalId": principal,
            "principalType": "ServicePrincipal",
            "scope": scope,
        },
    }
    directory.azure_assignments.append(row)


class Azure:
    """Answers for every tenant of the cloud; its tokens are for its own address, not for Graph's."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    def add_routes(self, app: web.Application) -> None:
        """Serve ``/subscriptions`` and what stands below."""
        app.router.add_get("/subscriptions", self._answered(self._subscriptions))
        for kind, rows in (("roleDefinitions", self._definitions), ("roleAssignments", self._assignments)):
            app.router.add_get(f"/subscriptions/{{id}}/providers/Microsoft.Authorization/{kind}", self._answered(rows))

    def _answered(self, rows: Any) -> Any:
        async def handle(request: web.Request) -> web.Response:
            try:
                access = self.tokens.access(request, audience=_is_azure)
                if "api-version" not in request.query:
                    raise GraphError(400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required.")
                return web.json_response(_page(request, rows(request, access)))
            except GraphError as error:
                return web.json_response({"error": {"code": error.code, "message": error.message}}, status=error.status)

        return handle

    @staticmethod
    def _sees(access: Access) -> bool:
        directory = access.tenant.directory
        row = directory.by_app_id(access.client_id)
        return row is not None and any(one["properties"]["principalId"] == row["id"] for one in directory.azure_assignments)

    def _subscriptions(self, request: web.Request, access: Access) -> list[dict[str, Any]]:
        del request
        return list(access.tenant.directory.subscriptions) if self._sees(access) else []

    def _definitions(self, request: web.Request, access: Access) -> list[dict[str, Any]]:
        self._of_subscription(request, access)
        base = f"/subscriptions/{request.match_info['id']}/providers/Microsoft.Authorization/roleDefinitions"
        return [
            {"id": f"{base}/{role}", "name": role, "type": base, "properties": {"roleName": name, "type": "BuiltInRole"}}
            for role, name in _ROLES.items()
        ]

    def _assignments(self, request: web.Request, access: Access) -> list[dict[str, Any]]:
        """Those on the subscription, below it, and above it, whose scope is no subscription's."""
        self._of_subscription(request, access)
        here = f"/subscriptions/{request.match_info['id']}".lower()
        scoped = ((one, one["properties"]["scope"].lower()) for one in access.tenant.directory.azure_assignments)
        return [one for one, scope in scoped if f"{scope}/".startswith(f"{here}/") or not scope.startswith("/subscriptions/")]

    def _of_subscription(self, request: web.Request, access: Access) -> None:
        wanted = request.match_info["id"].lower()
        if not self._sees(access) or all(one["subscriptionId"] != wanted for one in access.tenant.directory.subscriptions):
            raise GraphError(403, "AuthorizationFailed", f"The client does not have authorization to perform action over scope '{wanted}'.")


def _is_azure(resource: str, host: str) -> bool:
    return resource.rstrip("/") in AZURE or urlsplit(resource).netloc == host


def _page(request: web.Request, rows: list[dict[str, Any]]) -> dict[str, Any]:
    start = int(request.query.get("$skiptoken", 0))
    answer: dict[str, Any] = {"value": rows[start : start + _PAGE]}
    if start + _PAGE < len(rows):
        answer["nextLink"] = str(request.url.update_query({"$skiptoken": str(start + _PAGE)}))
    return answer
