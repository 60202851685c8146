"""The tenant's single objects: organisation, licences, consent policies, directory roles."""

from __future__ import annotations

import uuid
from typing import Any

Row = dict[str, Any]
P1_PLAN = "41781fb2-bc02-4b7c-bd55-b576c07bb09d"
SPE_E3 = "05e9a617-0261-4cee-bb44-138d3ef5d965"


def organization(tenant_id: str, name: str, domain: str) -> Row:
    """``/organization``'s one row."""
    return {
        "id": tenant_id,
        "displayName": name,
        "tenantType": "AAD",
        "countryLetterCode": "NL",
        "createdDateTime": "2014-03-05T10:11:12Z",
        "verifiedDomains": [
            {"capabilities": "Email, OfficeCommunicationsOnline", "isDefault": True, "isInitial": False, "name": domain, "type": "Managed"},
            {
                "capabilities": "Email",
                "isDefault": False,
                "isInitial": True,
                "name": f"{name.lower()}.onmicrosoft.example",
                "type": "Managed",
            },
        ],
        "assignedPlans": [
            {
                "assignedDateTime": "2023-01-10T08:00:00Z",
                "capabilityStatus": "Enabled",
                "service": "exchange",
                "servicePlanId": "efb87545-963c-4e0d-99df-69c6916d9eb0",
            }
        ],
    }


def skus(tenant_id: str) -> list[Row]:
    """``/subscribedSkus``: Microsoft 365 E3 with Entra ID P1."""
    plans = [
        ("AAD_PREMIUM", P1_PLAN),
        ("EXCHANGE_S_ENTERPRISE", "efb87545-963c-4e0d-99df-69c6916d9eb0"),
        ("TEAMS1", "57ff2da0-773e-42df-b2af-ffb7a2317929"),
    ]
    return [
        {
            "accountId": tenant_id,
            "accountName": "tenant",
            "appliesTo": "User",
            "capabilityStatus": "Enabled",
            "consumedUnits": 1200,
            "id": f"{tenant_id}_{SPE_E3}",
            "prepaidUnits": {"enabled": 2000, "lockedOut": 0, "suspended": 0, "warning": 0},
            "servicePlans": [
                {"appliesTo": "User", "provisioningStatus": "Success", "servicePlanId": plan, "servicePlanName": name}
                for name, plan in plans
            ],
            "skuId": SPE_E3,
            "skuPartNumber": "SPE_E3",
            "subscriptionIds": [],
        }
    ]


def policies() -> Row:
    """Consent policies: users may consent to anything that needs no administrator."""
    return {
        "authorizationPolicy": {
            "id": "authorizationPolicy",
            "displayName": "Authorization Policy",
            "allowInvitesFrom": "everyone",
            "allowUserConsentForRiskyApps": False,
            "guestUserRoleId": "10dae51f-b6af-4016-8d66-8c2a99b929b3",
            "defaultUserRolePermissions": {
                "allowedToCreateApps": True,
                "allowedToCreateSecurityGroups": True,
                "permissionGrantPoliciesAssigned": ["managePermissionGrantsForSelf.microsoft-user-default-legacy"],
            },
        },
        "adminConsentRequestPolicy": {
            "isEnabled": True,
            "notifyReviewers": True,
            "remindersEnabled": True,
            "requestDurationInDays": 30,
            "version": 1,
            "reviewers": [],
        },
        "permissionGrantPolicies": [
            {"id": "microsoft-user-default-legacy", "displayName": "All user consentable permissions", "description": "Legacy"}
        ],
        "defaultAppManagementPolicy": {
            "id": "00000000-0000-0000-0000-000000000000",
            "displayName": "Default app management tenant policy",
            "isEnabled": False,
        },
    }


GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
EXCHANGE_ADMINISTRATOR = "29232cdf-9323-42fd-ade2-1d097af3e4de"
DIRECTORY_READERS = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
_ROLES = {
    GLOBAL_ADMINISTRATOR: ("Global Administrator", "Can manage everything."),
    EXCHANGE_ADMINISTRATOR: ("Exchange Administrator", "Can manage Exchange Online."),
    DIRECTORY_READERS: ("Directory Readers", "Can read basic directory information."),
}


def roles(holders: dict[str, list[str]]) -> tuple[list[Row], list[Row], list[Row]]:
    """Activated directory roles, the definitions, and the assignments for ``holders`` by the role's template id."""
    activated = [
        {"id": str(uuid.uuid5(uuid.UUID(template), "role")), "displayName": name, "description": words, "roleTemplateId": template}
        for template, (name, words) in _ROLES.items()
    ]
    definitions = [
        {"id": template, "displayName": name, "description": words, "templateId": template, "isBuiltIn": True, "isEnabled": True}
        for template, (name, words) in _ROLES.items()
    ]
    assignments = [
        {"id": str(uuid.uuid5(uuid.UUID(template), holder)), "roleDefinitionId": template, "principalId": holder, "directoryScopeId": "/"}
        for template, ids in holders.items()
        for holder in ids
    ]
    return activated, definitions, assignments
