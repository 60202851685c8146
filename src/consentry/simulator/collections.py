"""What Graph reads: one function per collection, the permission each needs, paging and expansion."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from consentry.simulator import delta, odata
from consentry.simulator.directory import Directory, Row
from consentry.simulator.errors import GraphError, forbidden, not_found, unsupported
from consentry.simulator.state import Tenant

EXPAND_CAP = 20  # documented: $expand on directory objects returns at most 20 and no next link
DEFAULT_PAGE, EXPANDED_PAGE, LARGEST_PAGE = 100, 100, 999
_TAIL = 5  # objects by which the next page is found again
_ID = r"(?P<id>[0-9a-fA-F-]{36})"


@dataclass(frozen=True, slots=True)
class Access:
    """Who asks: a client with its Graph application permissions in one tenant."""

    tenant: Tenant
    client_id: str
    roles: frozenset[str]


@dataclass(slots=True)
class Answer:
    """A response; ``body`` None means no content."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed request line."""

    version: str
    path: str
    parameters: dict[str, str]
    url: str
    eventual: bool
    page_token_lifetime: float | None

    @property
    def select(self) -> frozenset[str] | None:
        text = self.parameters.get("$select")
        return frozenset(name.strip() for name in text.split(",")) if text else None


@dataclass(frozen=True, slots=True)
class Route:
    """A path, the permissions of which any one suffices, and what answers it."""

    pattern: re.Pattern[str]
    roles: frozenset[str]
    handler: Callable[[Directory, Query, re.Match[str]], Any]


_DIRECTORY = ("Directory.Read.All", "Directory.ReadWrite.All")
_APPS = (*_DIRECTORY, "Application.Read.All", "Application.ReadWrite.All")
_routes: list[Route] = []


def _route(path: str, *roles: str) -> Callable[[Callable[[Directory, Query, re.Match[str]], Any]], Any]:
    def add(handler: Callable[[Directory, Query, re.Match[str]], Any]) -> Any:
        _routes.append(Route(re.compile(f"^{path}$"), frozenset(roles), handler))
        return handler

    return add


def read(access: Access, query: Query, body: bytes) -> Answer:
    """Answer a GET, or ``getByIds``. Raises ``GraphError``."""
    for route in _routes:
        match = route.pattern.match(query.path)
        if match:
            if not route.roles & access.roles:
                raise forbidden()
            result = (
                route.handler(access.tenant.directory, query, match) if query.path != "directoryObjects/getByIds" else _by_ids(access, body)
            )
            return result if isinstance(result, Answer) else Answer(200, result)
    raise GraphError(400, "BadRequest", f"Resource not found for the segment '{query.path.split('/')[0]}'.")


def cost(query: Query) -> int:
    """Resource units, by the table of learn.microsoft.com/graph/throttling-limits."""
    base = 1
    if query.path.startswith(("applications", "oauth2PermissionGrants", "users")) or query.path.endswith("/appRoleAssignments"):
        base = 2
    if query.path.startswith(("subscribedSkus", "directoryObjects/getByIds")):
        base = 3
    base += "$expand" in query.parameters
    base -= "$select" in query.parameters
    base -= int(query.parameters.get("$top", "100")) < 20 if query.parameters.get("$top", "100").isdigit() else 0
    return max(1, base)


def page(
    query: Query,
    ids: Sequence[Any],
    render: Callable[[Any], Row],
    *,
    largest: int = LARGEST_PAGE,
    extra: Row | None = None,
    asked: Query | None = None,
) -> Row:
    """One page of ``ids``, filtered and projected, with an opaque next link to the query that was ``asked``."""
    text = query.parameters.get("$filter")
    if text:
        test = odata.compile_filter(text)
        rows = [row for row in map(render, ids) if test(row)]
        ids, render = rows, lambda row: row
    top = query.parameters.get("$top", str(DEFAULT_PAGE))
    if not top.isdigit() or not 1 <= int(top) <= LARGEST_PAGE:
        raise GraphError(400, "Request_BadRequest", f"Invalid page size specified: '{top}'. Must be between 1 and 999 inclusive.")
    size = min(int(top), largest)
    offset, select = _offset(query, ids), query.select
    values = [odata.project(render(item), select) for item in ids[offset : offset + size]]
    answer: Row = {"@odata.context": f"{query.url.split('/' + query.version)[0]}/{query.version}/$metadata#{query.path}"}
    if query.parameters.get("$count") == "true" and query.eventual and offset == 0:
        answer["@odata.count"] = len(ids)
    if offset + size < len(ids):
        tail = [_id(item) for item in ids[max(0, offset + size - _TAIL) : offset + size]]
        answer["@odata.nextLink"] = _next_link(asked or query, offset + size, tail)
    return {**answer, **(extra or {}), "value": values}


def _id(item: Any) -> Any:
    return item.get("id") if isinstance(item, dict) else getattr(item, "id", item)


def _next_link(query: Query, offset: int, tail: list[Any]) -> str:
    """The address of the next page; its token says when it was made and after which objects it goes on."""
    token = base64.urlsafe_b64encode(msgspec.json.encode([offset, time.time(), tail])).decode().rstrip("=")
    kept = "&".join(f"{name}={value}" for name, value in query.parameters.items() if name != "$skiptoken")
    return f"{query.url}?{kept + '&' if kept else ''}$skiptoken={token}".replace(" ", "%20").replace("'", "%27")


def _offset(query: Query, ids: Sequence[Any]) -> int:
    """Where a page begins: after the last object of the page before, also when objects before it are gone meanwhile."""
    token = query.parameters.get("$skiptoken")
    if token is None:
        return 0
    try:
        offset, made, tail = msgspec.json.decode(
            base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), type=tuple[int, float, list[Any]]
        )
    except (ValueError, msgspec.DecodeError) as error:
        raise _expired() from error
    if query.page_token_lifetime is not None and time.time() - made > query.page_token_lifetime:
        raise _expired()
    for place in range(min(offset, len(ids)), 0, -1):
        if _id(ids[place - 1]) in tail:
            return place
    return 0


def _expired() -> GraphError:
    return GraphError(
        400, "Directory_ExpiredPageToken", "The specified page token value has expired and can no longer be included in your request."
    )


def _public(row: Row, query: Query) -> Row:
    return row if query.version == "beta" else {name: value for name, value in row.items() if name != "publisherName"}


def _expanded(directory: Directory, query: Query, row: Row, allowed: dict[str, Callable[[Row], list[Row]]]) -> Row:
    match = re.match(r"^(\w+)(?:\(\$select=([^)]*)\))?$", query.parameters["$expand"])
    if match is None or match[1] not in allowed:
        raise unsupported(f"Could not expand '{query.parameters['$expand']}'.")
    select = frozenset(match[2].split(",")) if match[2] else None
    related = [odata.project(item, select) for item in allowed[match[1]](row)[:EXPAND_CAP]]
    return {**odata.project(row, query.select), match[1]: related}


def _owners(directory: Directory, object_id: str) -> list[Row]:
    return [row for row in (directory.find(owner) for owner in directory.owners.get(object_id, [])) if row]


@_route("organization", "Organization.Read.All", "User.Read.All", *_DIRECTORY)
def _organization(directory: Directory, query: Query, _: re.Match[str]) -> Row:
    return page(query, [directory.organization], lambda row: row)


@_route("subscribedSkus", "LicenseAssignment.Read.All", "Organization.Read.All", *_DIRECTORY)
def _skus(directory: Directory, query: Query, _: re.Match[str]) -> Row:
    if query.parameters:
        raise unsupported("The query specified in the URI is not valid.")
    return {"@odata.context": "", "value": directory.skus}


@_route("servicePrincipals", *_APPS)
def _service_principals(directory: Directory, query: Query, _: re.Match[str]) -> Row:
    ids = odata.wanted_ids(query.parameters.get("$filter", ""))
    if ids is None:
        rows = list(directory.service_principals.values())
    else:
        rows = [row for one in ids if (row := directory.service_principals.get(one))]
    if "$expand" not in query.parameters:
        return page(query, rows, lambda row: _public(row, query))
    if query.eventual and query.parameters.get("$count"):
        raise unsupported("$expand is not supported with advanced queries.")
    allowed = {
        "appRoleAssignments": lambda row: list(directory.assignments.get(row["id"], {}).values()),
        "appRoleAssignedTo": lambda row: directory.assigned_to(row["id"]),
        "owners": lambda row: _owners(directory, row["id"]),
        "memberOf": lambda row: [],
    }
    bare = Query(
        query.version,
        query.path,
        {k: v for k, v in query.parameters.items() if k != "$select"},
        query.url,
        query.eventual,
        query.page_token_lifetime,
    )
    return page(bare, rows, lambda row: _expanded(directory, query, _public(row, query), allowed), largest=EXPANDED_PAGE, asked=query)


@_route(f"servicePrincipals/{_ID}", *_APPS)
def _service_principal(directory: Directory, query: Query, match: re.Match[str]) -> Row:
    row = directory.service_principals.get(match["id"])
    if row is None:
        raise not_found(match["id"])
    return odata.project(_public(row, query), query.select)


@_route(r"servicePrincipals\(appId='(?P<id>[^']+)'\)(?P<rest>/appRoleAssignments)?", *_APPS)
def _by_app_id(directory: Directory, query: Query, match: re.Match[str]) -> Row:
    row = directory.by_app_id(match["id"])
    if row is None:
        raise not_found(match["id"])
    if match["rest"]:
        return page(query, list(directory.assignments.get(row["id"], {}).values()), lambda item: item)
    return odata.project(_public(row, query), query.select)


@_route(f"servicePrincipals/{_ID}/(?P<what>\\w+)", *_APPS)
def _related(directory: Directory, query: Query, match: re.Match[str]) -> Row:
    object_id = match["id"]
    if object_id not in directory.service_principals:
        raise not_found(object_id)
    if match["what"] == "appRoleAssignments":
        return page(query, list(directory.assignments.get(object_id, {}).values()), lambda row: row)
    if match["what"] == "appRoleAssignedTo":
        return page(query, directory.assigned_to(object_id), lambda row: row)
    if match["what"] == "owners":
        return page(query, _owners(directory, object_id), lambda row: row)
    if match["what"] == "oauth2PermissionGrants":
        return page(query, directory.grants_of(object_id), lambda grant: grant.render())
    if match["what"] in {"inheritedAppRoleAssignments", "inheritedOauth2PermissionGrants"} and query.version == "beta":
        return _inherited(directory, query, object_id, match["what"])
    if match["what"] == "memberOf":
        return page(query, [], lambda row: row)
    raise GraphError(400, "BadRequest", f"Resource not found for the segment '{match['what']}'.")


def _inherited(directory: Directory, query: Query, agent_id: str, what: str) -> Row:
    """What an agent identity has from its blueprint's principal: everything in one answer, of grants those for everybody."""
    if agent_id not in directory.blueprints:
        raise not_found(agent_id)
    if query.parameters.keys() & {"$top", "$skip", "$skiptoken"}:
        raise unsupported("Paging is not supported.")
    blueprint = directory.blueprints[agent_id]
    if what == "inheritedAppRoleAssignments":
        return {"value": list(directory.assignments.get(blueprint, {}).values())}
    return {"value": [grant.render() for grant in directory.grants_of(blueprint) if grant.consent_type == "AllPrincipals"]}


@_route("applications", *_APPS)
def _applications(directory: Directory, query: Query, _: re.Match[str]) -> Row:
    rows = list(directory.applications.values())
    if "$expand" not in query.parameters:
        return page(query, rows, lambda row: row)
    allowed = {
        "owners": lambda row: _owners(directory, row["id"]),
        "federatedIdentityCredentials": lambda row: directory.federated.get(row["id"], []),
    }
    bare = Query(
        query.version,
        query.path,
        {k: v for k, v in query.parameters.items() if k != "$select"},
        query.url,
        query.eventual,
        query.page_token_lifetime,
    )
    return page(bare, rows, lambda row: _expanded(directory, query, row, allowed), largest=EXPANDED_PAGE, asked=query)


@_route(f"applications/{_ID}(/(?P<what>owners|federatedIdentityCredentials))?", *_APPS)
def _application(directory: Directory, query: Query, match: re.Match[str]) -> Row:
    row = directory.applications.get(match["id"])
    if row is None:
        raise not_found(match["id"])
    if match["what"] == "owners":
        return page(query, _owners(directory, match["id"]), lambda item: item)
    if match["what"]:
        return page(query, directory.federated.get(match["id"], []), lambda item: item)
    return odata.project(row, query.select)


@_route("oauth2PermissionGrants", "DelegatedPermissionGrant.ReadWrite.All", *_DIRECTORY)
def _grants(directory: Directory, query: Query, _: re.Match[str]) -> Row:
    grants = directory.all_grants()
    if text := query.parameters.get("$filter"):
        wanted = odata.equalities(text)
        if unknown := wanted.keys() - {"clientId", "principalId", "resourceId", "consentType"}:
            raise unsupported(f"Filter on {', '.join(unknown)} is not supported.")
        grants = [grant for grant in grants if all(grant.render()[name] == value for name, value in wanted.items())]
        query = Query(
            query.version,
            query.path,
            {k: v for k, v in query.parameters.items() if k != "$filter"},
            query.url,
            query.eventual,
            query.page_token_lifetime,
        )
    return page(query, grants, lambda grant: grant.render())


@_route("oauth2PermissionGrants/(?P<id>(?!delta)[^/]+)", "DelegatedPermissionGrant.ReadWrite.All", *_DIRECTORY)
def _grant(directory: Directory, query: Query, match: re.Match[str]) -> Row:
    if match["id"] not in directory.grants:
        raise not_found(match["id"])
    return odata.project(directory.grants[match["id"]].render(), query.select)


@_route("(?P<what>servicePrincipals|applications|oauth2PermissionGrants|users)/delta(\\(\\))?", *_APPS)
def _delta(directory: Directory, query: Query, match: re.Match[str]) -> Any:
    rows: dict[str, Callable[[], dict[str, Any]]] = {
        "servicePrincipals": lambda: directory.service_principals,
        "applications": lambda: directory.applications,
        "oauth2PermissionGrants": lambda: directory.grants,
        "users": lambda: directory.users,
    }
    return delta.changes(directory, query, match["what"], rows[match["what"]]())


@_route("users", "User.ReadBasic.All", "User.Read.All", *_DIRECTORY)
def _users(directory: Directory, query: Query, _: re.Match[str]) -> Row:
    return page(query, list(directory.users.values()), lambda user: _untyped(user.render()))


@_route(f"users/{_ID}", "User.ReadBasic.All", "User.Read.All", *_DIRECTORY)
def _user(directory: Directory, query: Query, match: re.Match[str]) -> Row:
    user = directory.users.get(match["id"])
    if user is None:
        raise not_found(match["id"])
    return odata.project(_untyped(user.render()), query.select)


@_route("groups", "Group.Read.All", "GroupMember.Read.All", *_DIRECTORY)
def _groups(directory: Directory, query: Query, _: re.Match[str]) -> Row:
    return page(query, list(directory.groups.values()), lambda row: row)


@_route("directoryObjects/getByIds", *_DIRECTORY)
def _by_ids_route(directory: Directory, query: Query, _: re.Match[str]) -> Row:
    raise GraphError(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")


def _by_ids(access: Access, body: bytes) -> Row:
    wanted = msgspec.json.decode(body).get("ids") or []
    if len(wanted) > 1000:
        raise GraphError(400, "Request_BadRequest", "The number of ids exceeds the maximum of 1000.")
    return {"@odata.context": "", "value": [row for row in map(access.tenant.directory.find, dict.fromkeys(wanted)) if row]}


@_route("roleManagement/directory/roleAssignments", "RoleManagement.Read.Directory", *_DIRECTORY)
def _role_assignments(directory: Directory, query: Query, _: re.Match[str]) -> Row:
    expand = query.parameters.get("$expand") == "principal"
    return page(query, directory.role_assignments, lambda row: {**row, "principal": directory.find(row["principalId"])} if expand else row)


@_route("roleManagement/directory/roleDefinitions", "RoleManagement.Read.Directory", *_DIRECTORY)
def _role_definitions(directory: Directory, query: Query, _: re.Match[str]) -> Row:
    return page(query, directory.role_definitions, lambda row: row)


@_route("directoryRoles", "RoleManagement.Read.Directory", *_DIRECTORY)
def _directory_roles(directory: Directory, query: Query, _: re.Match[str]) -> Row:
    return {"@odata.context": "", "value": directory.directory_roles}


@_route(
    "policies/(?P<name>authorizationPolicy|adminConsentRequestPolicy|defaultAppManagementPolicy|permissionGrantPolicies)", "Policy.Read.All"
)
def _policy(directory: Directory, query: Query, match: re.Match[str]) -> Row:
    value = directory.policies[match["name"]]
    return page(query, value, lambda row: row) if isinstance(value, list) else value


@_route("identityGovernance/appConsent/appConsentRequests", "ConsentRequest.Read.All")
def _consent_requests(directory: Directory, query: Query, _: re.Match[str]) -> Row:
    expanded = "userConsentRequests" in query.parameters.get("$expand", "")

    def shown(row: Row) -> Row:
        return row if expanded else {name: value for name, value in row.items() if name != "userConsentRequests"}

    return page(query, directory.consent_requests, shown)


@_route("auditLogs/directoryAudits", "AuditLog.Read.All", *_DIRECTORY)
def _audits(directory: Directory, query: Query, _: re.Match[str]) -> Row:
    return page(query, directory.audits, lambda row: row)


@_route("auditLogs/signIns", "AuditLog.Read.All")
def _sign_ins(directory: Directory, query: Query, _: re.Match[str]) -> Row:
    return page(query, [], lambda row: row)


@_route("reports/(?P<what>servicePrincipalSignInActivities|appCredentialSignInActivities)", "AuditLog.Read.All", *_DIRECTORY)
def _activities(directory: Directory, query: Query, match: re.Match[str]) -> Row:
    if query.version != "beta":
        raise GraphError(400, "BadRequest", f"Resource not found for the segment '{match['what']}'.")
    rows = directory.activities if match["what"].startswith("service") else directory.credential_activities
    return page(query, rows, lambda row: row)


@_route("identityProtection/riskyServicePrincipals", "IdentityRiskyServicePrincipal.Read.All")
def _risky(directory: Directory, query: Query, _: re.Match[str]) -> Row:
    raise GraphError(
        403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", "Neither tenant is B2C or tenant doesn't have premium license"
    )


@_route(r"tenantRelationships/findTenantInformationByTenantId\(tenantId='(?P<id>[^']+)'\)", "CrossTenantInformation.ReadBasic.All")
def _tenant_information(directory: Directory, query: Query, match: re.Match[str]) -> Row:
    owned = next((row for row in directory.service_principals.values() if row["appOwnerOrganizationId"] == match["id"]), None)
    if owned is None:
        raise GraphError(404, "Request_ResourceNotFound", f"Tenant {match['id']} could not be found.")
    name = owned.get("publisherName") or owned["displayName"]
    domain = "".join(re.findall(r"[a-z0-9]+", name.lower())) or "tenant"
    return {"tenantId": match["id"], "displayName": name, "defaultDomainName": f"{domain}.onmicrosoft.example", "federationBrandName": None}


@_route(r"directory/deletedItems/microsoft\.graph\.(servicePrincipal|application)", *_APPS)
def _deleted(directory: Directory, query: Query, _: re.Match[str]) -> Row:
    return page(query, list(directory.deleted.values()), lambda row: _public(row, query))


def _untyped(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "@odata.type"}
