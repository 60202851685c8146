"""What one line of the Integrations tables shows, made from connectors and integrations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Max
from django.urls import reverse

from consentry.connect.models import AttemptOutcome, AuthorisationAttempt, Connector, Integration, Status
from consentry.core.clock import now
from consentry.sync.models import SyncRun
from consentry.sync.services import LIVE
from consentry.web.labels import Sign, licence_sign

APPLICATION = "Microsoft 365"
MS_TENANT = "MS Tenant"
THIRD_PARTY_APPS = "3rd Party Apps"


@dataclass(frozen=True, slots=True)
class Row:
    """One connector or integration, ready to be shown."""

    dom_id: str
    url: str
    sync_url: str
    name: str
    kind: str
    application: str
    connector_name: str
    tenant_id: UUID | None
    tenant_name: str
    tenant_hint: str
    status: str
    status_label: str
    note: str
    live: bool
    is_child: bool
    can_authorise: bool
    waiting: bool  # for the person at Microsoft, or for Microsoft
    can_sync: bool
    licence: Sign | None = None
    integrations: int = 0
    description: str = ""
    last_sync: datetime | None = None
    next_sync: datetime | None = None


def latest_attempt(attempts: Iterable[AuthorisationAttempt], *, integration: Integration | None) -> AuthorisationAttempt | None:
    """The newest attempt for the connector itself, or for one of its integrations."""
    wanted = integration.pk if integration else None
    return max((a for a in attempts if a.integration_id == wanted), key=lambda a: a.created_at, default=None)


def is_waiting(attempt: AuthorisationAttempt | None) -> bool:
    """True while a person is at Microsoft, or Microsoft has not spread the consent yet."""
    if attempt is None or attempt.finished_at is not None:
        return False
    return attempt.outcome == AttemptOutcome.SPREADING or (attempt.outcome == AttemptOutcome.OPEN and attempt.expires_at > now())


def attempt_note(attempt: AuthorisationAttempt | None) -> str:
    """One line on where the trip to Microsoft stands; empty when it ended well."""
    if attempt is None or attempt.outcome == AttemptOutcome.DONE:
        return ""
    if attempt.outcome == AttemptOutcome.OPEN and attempt.expires_at <= now():
        return AttemptOutcome.EXPIRED.label
    return AttemptOutcome(attempt.outcome).label if is_waiting(attempt) else attempt.reason or AttemptOutcome(attempt.outcome).label


@dataclass(frozen=True, slots=True)
class Activity:
    """When connectors were last read, and which are being read now."""

    last: dict[UUID, datetime]
    running: frozenset[UUID]


def activity_of(connectors: Iterable[Connector]) -> Activity:
    """The activity of ``connectors``, in two queries."""
    runs = SyncRun.objects.filter(connector__in=[connector.pk for connector in connectors])
    last = runs.filter(finished_at__isnull=False).order_by().values_list("connector_id").annotate(Max("finished_at"))
    return Activity(dict(last), frozenset(runs.filter(state__in=LIVE).values_list("connector_id", flat=True)))


def connector_row(connector: Connector) -> Row:
    """The line of a parent connector. Reads the prefetched attempts and integrations."""
    attempt = latest_attempt(connector.attempts.all(), integration=None)
    pending = connector.status == Status.PENDING
    return Row(
        dom_id=f"connector-{connector.pk}",
        url=reverse("connector", kwargs={"pk": connector.pk}),
        sync_url=reverse("connector-sync", kwargs={"pk": connector.pk}),
        name=connector.name,
        kind=MS_TENANT,
        application=APPLICATION,
        connector_name=connector.name,
        tenant_id=connector.tenant_id,
        tenant_name=connector.tenant_name,
        tenant_hint=connector.tenant_hint,
        status=connector.status,
        status_label=connector.get_status_display(),
        note=_note(connector, attempt),
        live=is_waiting(attempt),
        is_child=False,
        can_authorise=pending,
        waiting=is_waiting(attempt),
        can_sync=False,
        licence=licence_sign(connector.licence),
        integrations=len(connector.integrations.all()),
    )


def integration_row(integration: Integration, connector: Connector, activity: Activity) -> Row:
    """The line of an integration under its connector."""
    attempt = latest_attempt(connector.attempts.all(), integration=integration)
    running = connector.pk in activity.running
    pending = integration.status == Status.PENDING
    return Row(
        dom_id=f"integration-{integration.pk}",
        url=reverse("integration", kwargs={"pk": integration.pk}),
        sync_url=reverse("connector-sync", kwargs={"pk": connector.pk}),
        name=THIRD_PARTY_APPS,
        kind=f"Over {connector.name}",
        application=integration.saas_application,
        connector_name=connector.name,
        tenant_id=connector.tenant_id,
        tenant_name=connector.tenant_name,
        tenant_hint=connector.tenant_hint,
        status=integration.status,
        status_label=integration.get_status_display(),
        note=_integration_note(integration, attempt, running=running),
        live=is_waiting(attempt) or running,
        is_child=True,
        can_authorise=pending,
        waiting=is_waiting(attempt),
        can_sync=integration.status != Status.PENDING and integration.disconnected_at is None and not running,
        description=integration.description,
        last_sync=activity.last.get(connector.pk),
        next_sync=None if integration.disconnected_at else integration.next_sync_at,
    )


def _note(subject: Connector | Integration, attempt: AuthorisationAttempt | None) -> str:
    if subject.status == Status.CONNECTED:
        return ""
    if is_waiting(attempt):
        return attempt_note(attempt)
    return subject.status_reason or attempt_note(attempt)


def _integration_note(integration: Integration, attempt: AuthorisationAttempt | None, *, running: bool) -> str:
    if integration.disconnected_at and not is_waiting(attempt):
        return "Disconnected: nothing is read"
    return "Reading from Microsoft" if running else _note(integration, attempt)


def integrated_rows(connectors: list[Connector]) -> list[Row]:
    """The tab Integrated Apps: each tenant, then what is connected through it."""
    activity = activity_of(connectors)
    rows: list[Row] = []
    for connector in connectors:
        rows.append(connector_row(connector))
        rows.extend(integration_row(integration, connector, activity) for integration in connector.integrations.all())
    return rows


def configured_rows(connectors: list[Connector]) -> list[Row]:
    """The tab Configured Integrations."""
    activity = activity_of(connectors)
    return [integration_row(integration, connector, activity) for connector in connectors for integration in connector.integrations.all()]
