"""Whether the tenants that are connected still accept our registrations."""

from __future__ import annotations

from consentry.connect import registrations
from consentry.connect.models import Connector, RegistrationRole
from consentry.connect.registry import provider
from consentry.core.errors import ConsentryError


def check_connectors() -> list[tuple[str, list[str]]]:
    """Each connected tenant's name with what is wrong with its credentials, asked of Microsoft now."""
    found = []
    for connector in Connector.objects.filter(tenant_id__isnull=False).select_related("account").order_by("name"):
        try:
            registration = registrations.required(connector.account, RegistrationRole.READER)
            problems = provider(connector.vendor).check_registration(registration, str(connector.tenant_id))
        except ConsentryError as error:
            problems = [f"{error.what} {error.remedy} [{error.code}]"]
        found.append((connector.name, problems))
    return found
