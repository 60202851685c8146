"""Everything the simulated Graph serves is a property that Microsoft's own schema declares, or is on the short list of others."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import requests
from tests.simulator.cloud import Running, running

from consentry.simulator.undeclared import UNDECLARED

# Microsoft's schema is not ours to commit: https://graph.microsoft.com/v1.0/$metadata, saved as v1.0-csdl.xml
FOLDER = Path(os.environ.get("CONSENTRY_TEST_MSGRAPH") or Path(__file__).parents[3] / "shared" / "msgraph")
NAMESPACE = "{http://docs.oasis-open.org/odata/ns/edm}"
pytestmark = pytest.mark.skipif(
    not (FOLDER / "v1.0-csdl.xml").exists(), reason="Microsoft's schema is not there: set CONSENTRY_TEST_MSGRAPH"
)

SERVED = {
    "organization": "organization",
    "subscribedSkus": "subscribedSku",
    "servicePrincipals?$top=999": "servicePrincipal",
    "servicePrincipals?$top=999&$expand=appRoleAssignments": "servicePrincipal",
    "servicePrincipals?$top=999&$expand=owners": "servicePrincipal",
    "applications?$top=999": "application",
    "oauth2PermissionGrants?$top=999": "oAuth2PermissionGrant",
    "users?$top=999": "user",
    "groups?$top=999": "group",
    "auditLogs/directoryAudits?$top=999": "directoryAudit",
    "policies/authorizationPolicy": "authorizationPolicy",
    "policies/adminConsentRequestPolicy": "adminConsentRequestPolicy",
    "policies/permissionGrantPolicies": "permissionGrantPolicy",
    "identityGovernance/appConsent/appConsentRequests?$expand=userConsentRequests": "appConsentRequest",
}


@cache
def schema() -> dict[str, dict[str, str]]:
    """Type -> property -> type, inherited ones included."""
    root = ET.parse(FOLDER / "v1.0-csdl.xml").getroot()  # Microsoft's file, read by a developer
    own: dict[str, tuple[str | None, dict[str, str]]] = {}
    for part in root.iter(f"{NAMESPACE}Schema"):
        prefix = part.get("Namespace", "")
        for kind in ("EntityType", "ComplexType"):
            for one in part.iter(f"{NAMESPACE}{kind}"):
                fields = {
                    found.get("Name", ""): found.get("Type", "")
                    for tag in ("Property", "NavigationProperty")
                    for found in one.iter(f"{NAMESPACE}{tag}")
                }
                own[f"{prefix}.{one.get('Name')}"] = (one.get("BaseType"), fields)

    def whole(name: str) -> dict[str, str]:
        base, fields = own.get(name, (None, {}))
        return {**(whole(base.replace("graph.", "microsoft.graph.", 1) if base.startswith("graph.") else base) if base else {}), **fields}

    return {name.removeprefix("microsoft.graph."): whole(name) for name in own}


def unknown(value: Any, kind: str) -> set[tuple[str, str]]:
    """Properties of a served object that its type does not declare."""
    name = kind.removeprefix("Collection(").removesuffix(")").removeprefix("microsoft.graph.").removeprefix("graph.")
    if isinstance(value, list):
        return {missing for one in value for missing in unknown(one, name)}
    if not isinstance(value, dict) or name not in schema():
        return set()
    name = str(value.get("@odata.type", name)).removeprefix("#microsoft.graph.")
    declared = schema().get(name, {})
    found: set[tuple[str, str]] = set()
    for key, inner in value.items():
        if "@" in key:
            continue
        if key not in declared:
            found.add((name, key))
        else:
            found |= unknown(inner, declared[key])
    return found


@pytest.fixture(scope="module")
def cloud() -> Any:
    with running(consented=True, plugins=120, users=80) as started:
        yield started


@pytest.mark.parametrize(("path", "kind"), SERVED.items())
def test_served_properties_are_declared(cloud: Running, path: str, kind: str) -> None:
    headers = {"Authorization": f"Bearer {cloud.token().json()['access_token']}"}
    answer = requests.get(f"{cloud.url}/v1.0/{path}", headers=headers, timeout=20)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    served = body.get("value", [body]) if kind != "authorizationPolicy" else [body]
    assert served
    assert unknown(served, kind) <= set(UNDECLARED)


def test_the_schema_test_can_fail() -> None:
    assert unknown({"id": "1", "colour": "red", "info": {"logoUrl": "x", "size": 1}}, "servicePrincipal") == {
        ("servicePrincipal", "colour"),
        ("informationalUrl", "size"),
    }
