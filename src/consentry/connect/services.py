"""The only writers of connectors, integrations and authorisation attempts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from django.db import IntegrityError, transaction

from consentry.accounts import services as accounts
from consentry.accounts.models import Account, Person
from consentry.audit import services as audit
from consentry.connect import registrations
from consentry.connect.models import AttemptOutcome, AuthorisationAttempt, Capability, Connector, Integration, RegistrationRole, Status
from consentry.connect.provider import CapabilityResult, TenantProof, WaitForConsent
from consentry.connect.registry import provider
from consentry.core import events
from consentry.core.clock import now
from consentry.core.errors import ConsentryError
from consentry.core.secrets import hash_token, new_token

ATTEMPT_LIFETIME = timedelta(minutes=15)
SPREAD_LIMIT = timedelta(minutes=10)
_NAME_LONGEST = 200


@transaction.atomic
def create_connector(account: Account, *, name: str, tenant_hint: str = "", actor: str) -> Connector:
    """A connector that waits for its authorisation. Raises ``ConsentryError`` for an empty or taken name."""
    name = name.strip()
    if not name or len(name) > _NAME_LONGEST:
        raise ConsentryError("name_invalid", "A connector needs a name of at most 200 characters.", "Enter one.")
    if Connector.objects.filter(account=account, name=name).exists():
        raise ConsentryError("name_taken", f"There is a connector called {name} already.", "Choose another name.")
    connector = Connector.objects.create(account=account, name=name, tenant_hint=tenant_hint.strip(), created_by=actor)
    audit.record(account.id, actor=actor, action="connect:connector:created", subject=name)
    return connector


@transaction.atomic
def create_integration(connector: Connector, *, description: str = "", actor: str) -> Integration:
    """3rd Party Apps over a connected tenant.

    Raises ``ConsentryError`` without a CASB licence, over a connector that is not connected, or when it is there already.
    """
    if not accounts.has_casb(connector.account):
        raise ConsentryError(
            "casb_missing",
            "Interconnected Apps needs a CASB licence on the account.",
            "Ask the owner to renew it under Administration > Licence.",
        )
    if connector.tenant_id is None:
        raise ConsentryError(
            "connector_pending", f"{connector.name} is not authorised yet.", "Finish step 1, the MS Tenant connector, first."
        )
    if connector.integrations.exists():
        raise ConsentryError(
            "integration_exists", f"3rd Party Apps is configured for {connector.name} already.", "Open it under Configured Integrations."
        )
    integration = Integration.objects.create(connector=connector, description=description.strip(), created_by=actor)
    audit.record(connector.account_id, actor=actor, action="connect:integration:created", subject=connector.name)
    return integration


@transaction.atomic
def begin_authorisation(subject: Connector | Integration, *, person: Person, session_key: str, redirect_uri: str) -> str:
    """The address at Microsoft to send this browser to. ``state`` is single use, bound to the session and expires.

    Raises ``ConsentryError`` without a registration.
    """
    connector = subject if isinstance(subject, Connector) else subject.connector
    role = RegistrationRole.TENANT if isinstance(subject, Connector) else RegistrationRole.READER
    registration = registrations.required(connector.account, role)
    state = new_token()
    integration = subject if isinstance(subject, Integration) else None
    superseded = AuthorisationAttempt.objects.filter(connector=connector, integration=integration, finished_at__isnull=True)
    superseded.update(finished_at=now(), outcome=AttemptOutcome.EXPIRED, code="superseded", reason="A newer attempt was started.")
    AuthorisationAttempt.objects.create(
        connector=connector,
        integration=integration,
        role=role,
        person=person,
        state_hash=hash_token(state),
        session_hash=hash_token(session_key),
        expected_tenant=connector.tenant_id,
        expires_at=now() + ATTEMPT_LIFETIME,
    )
    tenant = str(connector.tenant_id) if connector.tenant_id else connector.tenant_hint or registration.tenant_hint or "organizations"
    audit.record(connector.account_id, actor=person.email, action="connect:authorisation:started", subject=connector.name, role=role)
    return provider(connector.vendor).consent_url(registration, tenant=tenant, redirect_uri=redirect_uri, state=state)


@transaction.atomic
def finish_authorisation(parameters: Mapping[str, str], *, person: Person, session_key: str) -> AuthorisationAttempt:
    """Take the redirect's word as a claim and start proving it. ``state`` is consumed whatever the answer.

    Raises ``ConsentryError`` when the state is unknown, used, expired or of another session.
    """
    attempt = (
        AuthorisationAttempt.objects.select_for_update(of=("self",))
        .select_related("connector", "integration")
        .filter(state_hash=hash_token(parameters.get("state", "")), connector__account_id=person.account_id)
        .first()
    )
    if attempt is None or bytes(attempt.session_hash) != hash_token(session_key) or attempt.person_id != person.pk:
        raise ConsentryError(
            "state_unknown",
            "This answer from Microsoft belongs to no authorisation that was started in this browser.",
            "Start again under Integrations.",
        )
    if attempt.returned_at or attempt.finished_at:
        raise ConsentryError(
            "state_used", "This answer from Microsoft was used already or came too late.", "Start again under Integrations."
        )
    attempt.returned_at = now()
    if attempt.expires_at < now():
        _fail(attempt, "state_expired", "The authorisation took longer than 15 minutes.", "Try again.")
        return attempt
    answer = provider(attempt.connector.vendor).read_answer(parameters)
    if not answer.accepted:
        _fail(attempt, answer.code, answer.what, answer.remedy)
        return attempt
    attempt.claimed_tenant = answer.claimed_tenant
    attempt.outcome = AttemptOutcome.SPREADING
    attempt.save()
    events.emit("connect:attempt:returned", attempt_id=str(attempt.pk))
    return attempt


def verify_attempt(attempt_id: UUID) -> bool:
    """Prove a returned attempt once. True when it is settled, False when consent is still spreading. No transaction is open across HTTP."""
    attempt = AuthorisationAttempt.objects.select_related("connector__account", "integration").get(pk=attempt_id)
    if attempt.outcome != AttemptOutcome.SPREADING or attempt.claimed_tenant is None:
        return True
    connector = attempt.connector
    try:
        if attempt.expected_tenant and attempt.expected_tenant != attempt.claimed_tenant:
            raise ConsentryError(
                "wrong_tenant",
                f"The account belongs to another tenant than {connector.tenant_name or connector.name}.",
                "Try again with an account of that tenant.",
            )
        found = registrations.required(connector.account, attempt.role)
        proof = provider(connector.vendor).prove_tenant(found, str(attempt.claimed_tenant))
        if proof.tenant_id != attempt.claimed_tenant:
            raise ConsentryError("tenant_mismatch", "Microsoft answered for another tenant than the one that consented.", "Try again.")
        results = provider(connector.vendor).probe(found, str(proof.tenant_id)) if attempt.integration else []
        _apply(connector, attempt.integration, proof, results, actor=attempt.person.email if attempt.person else "consentry")
    except WaitForConsent as error:
        attempt.tries += 1
        attempt.code, attempt.reason = error.code, error.what
        if attempt.returned_at and now() - attempt.returned_at > SPREAD_LIMIT:
            _fail(attempt, error.code, error.what, error.remedy)
            return True
        attempt.save(update_fields=["tries", "code", "reason"])
        return False
    except ConsentryError as error:
        _fail(attempt, error.code, error.what, error.remedy)
        return True
    AuthorisationAttempt.objects.filter(pk=attempt.pk).update(outcome=AttemptOutcome.DONE, finished_at=now(), code="", reason="", remedy="")
    return True


def connect_by_credentials(account: Account, *, name: str, tenant: str, actor: str) -> Connector:
    """One try at a connector from a consent that the tenant has given already; nothing is left behind when it fails.

    Raises ``WaitForConsent`` while consent is missing or spreading, other ``ConsentryError`` when waiting won't help.
    """
    if Connector.objects.filter(account=account, name=name.strip()).exists():
        raise ConsentryError("name_taken", f"There is a connector called {name} already.", "Choose another name.")
    found = registrations.required(account, RegistrationRole.TENANT)
    proof = provider("microsoft").prove_tenant(found, tenant)
    with transaction.atomic():
        connector = create_connector(account, name=name, tenant_hint=tenant, actor=actor)
        _apply(connector, None, proof, [], actor=actor)
    return connector


def integrate_by_credentials(connector: Connector, *, description: str, actor: str) -> Integration:
    """One try at 3rd Party Apps from a consent that was given already. Raises as ``connect_by_credentials``."""
    found = registrations.required(connector.account, RegistrationRole.READER)
    proof = provider(connector.vendor).prove_tenant(found, str(connector.tenant_id))
    results = provider(connector.vendor).probe(found, str(connector.tenant_id))
    with transaction.atomic():
        integration = create_integration(connector, description=description, actor=actor)
        _apply(connector, integration, proof, results, actor=actor)
    return integration


@transaction.atomic
def _apply(
    connector: Connector, integration: Integration | None, proof: TenantProof, results: list[CapabilityResult], *, actor: str
) -> None:
    twin = Connector.objects.filter(account_id=connector.account_id, tenant_id=proof.tenant_id).exclude(pk=connector.pk).first()
    if twin:
        raise ConsentryError(
            "tenant_connected",
            f"{proof.name or proof.tenant_id} is connected already, as {twin.name}.",
            f"Use {twin.name}; one connector serves all Microsoft integrations.",
        )
    connector.tenant_id, connector.tenant_name = proof.tenant_id, proof.name
    connector.tenant_domain, connector.tenant_domains = proof.default_domain, proof.domains
    connector.licence = proof.licence
    connector.confirmed_at = connector.confirmed_at or now()
    _set_status(connector, Status.CONNECTED)
    try:
        with transaction.atomic():
            connector.save()
    except IntegrityError as error:
        raise ConsentryError("tenant_connected", "This tenant has just been connected by somebody else.", "Use that connector.") from error
    audit.record(
        connector.account_id, actor=actor, action="connect:connector:authorised", subject=connector.name, tenant=str(proof.tenant_id)
    )
    if integration is None:
        return
    for result in results:
        Capability.objects.update_or_create(
            connector=connector, name=result.name, defaults={"state": result.state, "detail": result.detail, "checked_at": now()}
        )
    _set_status(integration, Status.CONNECTED)
    integration.disconnected_at = None
    integration.next_sync_at = now() + timedelta(minutes=integration.sync_every_minutes)
    integration.save()
    audit.record(connector.account_id, actor=actor, action="connect:integration:authorised", subject=connector.name)
    events.emit("connect:integration:connected", integration_id=str(integration.pk))


@transaction.atomic
def _fail(attempt: AuthorisationAttempt, code: str, what: str, remedy: str) -> None:
    attempt.outcome, attempt.finished_at = AttemptOutcome.FAILED, now()
    attempt.code, attempt.reason, attempt.remedy = code, what, remedy
    attempt.save()
    subject = attempt.integration or attempt.connector
    if subject.status == Status.PENDING:
        _set_status(subject, Status.PENDING, code, what, remedy)
        subject.save()
    audit.record(
        attempt.connector.account_id, actor="consentry", action="connect:authorisation:failed", subject=attempt.connector.name, code=code
    )


def expire_attempts(redirect_uri: str) -> int:
    """End attempts from which no redirect came, with the hint that its address may not be registered. Returns how many."""
    late = AuthorisationAttempt.objects.select_related("connector", "integration").filter(outcome=AttemptOutcome.OPEN, expires_at__lt=now())
    for attempt in late:
        _fail(
            attempt,
            "no_redirect",
            "Microsoft never sent the browser back.",
            f"If Microsoft's page said AADSTS50011, register exactly {redirect_uri} as a Web redirect URI of the app, then try again.",
        )
        AuthorisationAttempt.objects.filter(pk=attempt.pk).update(outcome=AttemptOutcome.EXPIRED)
    return len(late)


def record_sync_result(integration: Integration, status: Status, *, code: str = "", what: str = "", remedy: str = "") -> None:
    """What a run says about the integration and its connector."""
    for subject in (integration, integration.connector):
        _set_status(subject, status, code, what, remedy)
        subject.save(update_fields=["status", "status_code", "status_reason", "status_remedy"])


def _set_status(subject: Connector | Integration, status: Status, code: str = "", what: str = "", remedy: str = "") -> None:
    subject.status, subject.status_code, subject.status_reason, subject.status_remedy = status, code, what, remedy


@transaction.atomic
def edit_connector(connector: Connector, *, name: str, tenant_hint: str, actor: str) -> None:
    """Rename; the tenant's id or domain can be changed only before it is proven. Raises ``ConsentryError`` for a taken name."""
    if Connector.objects.filter(account_id=connector.account_id, name=name.strip()).exclude(pk=connector.pk).exists():
        raise ConsentryError("name_taken", f"There is a connector called {name} already.", "Choose another name.")
    connector.name = name.strip()
    if connector.tenant_id is None:
        connector.tenant_hint = tenant_hint.strip()
    connector.save(update_fields=["name", "tenant_hint"])
    audit.record(connector.account_id, actor=actor, action="connect:connector:edited", subject=connector.name)


@transaction.atomic
def edit_integration(integration: Integration, *, description: str, sync_every_minutes: int, actor: str) -> None:
    """Change the description and how often it is read."""
    integration.description, integration.sync_every_minutes = description.strip(), sync_every_minutes
    if integration.next_sync_at:
        integration.next_sync_at = min(integration.next_sync_at, now() + timedelta(minutes=sync_every_minutes))
    integration.save(update_fields=["description", "sync_every_minutes", "next_sync_at"])
    audit.record(integration.connector.account_id, actor=actor, action="connect:integration:edited", subject=integration.connector.name)


@transaction.atomic
def disconnect(subject: Connector | Integration, *, actor: str) -> None:
    """Stop reading; what was collected stays."""
    connector = subject if isinstance(subject, Connector) else subject.connector
    for integration in connector.integrations.all() if isinstance(subject, Connector) else [subject]:
        integration.disconnected_at, integration.next_sync_at = now(), None
        _set_status(
            integration,
            Status.PENDING,
            "disconnected",
            "It was disconnected: nothing is read, the data is kept.",
            "Re-authorise it to go on.",
        )
        integration.save()
    if isinstance(subject, Connector):
        _set_status(
            subject, Status.PENDING, "disconnected", "It was disconnected: nothing is read, the data is kept.", "Re-authorise it to go on."
        )
        subject.save()
    audit.record(connector.account_id, actor=actor, action="connect:connector:disconnected", subject=connector.name)


@transaction.atomic
def delete(subject: Connector | Integration, *, actor: str) -> None:
    """Delete a connector with everything collected through it, or an integration alone (its data goes with the connector)."""
    connector = subject if isinstance(subject, Connector) else subject.connector
    kind = "connector" if isinstance(subject, Connector) else "integration"
    audit.record(connector.account_id, actor=actor, action=f"connect:{kind}:deleted", subject=connector.name)
    if isinstance(subject, Connector):
        Connector.objects.select_for_update().filter(pk=subject.pk).first()  # a merge that holds it ends first; later ones find it gone
    subject.delete()
