"""The only writers of channels and deliveries."""

from __future__ import annotations

import logging
import random
import traceback
import uuid
from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from django.db import transaction
from django.db.models import Q, QuerySet

from consentry.accounts.models import Account
from consentry.audit import services as audit
from consentry.core import events, secrets
from consentry.core.clock import now
from consentry.core.errors import ConsentryError
from consentry.core.secrets import Secret
from consentry.notify import addresses, senders
from consentry.notify.models import Channel, ChannelKind, Delivery, DeliveryState, Pace, Severity
from consentry.notify.senders import Message, NotDelivered

# After which wait the next try comes; then it is given up. Source: Standard Webhooks, recommended schedule.
RETRIES = tuple(
    timedelta(seconds=seconds) for seconds in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
_JITTER = 0.2  # the largest share by which a wait grows, so that what failed together does not come back together
_KEPT_TRIES = 20
_MOST_TOGETHER = 100
_LEASE = timedelta(minutes=2)  # longer than any try
_DAILY_AT = time(8)
_WEIGHTS = {name: weight for weight, name in enumerate(Severity.values)}
SIGNED = (ChannelKind.WEBHOOK, ChannelKind.OCSF)  # the kinds with a signing secret
_LAST_TRY = ("tried_at", "last_error")
_log = logging.getLogger(__name__)


@transaction.atomic
def save_channel(account: Account, channel: Channel | None, *, actor: str, address: str, **fields: Any) -> tuple[Channel, str | None]:
    """Make or change a channel; an empty ``address`` keeps the old one. Returns it and, once, a new signing secret.

    Raises ``ConsentryError`` for an address that the kind can't use, a name that is taken, or half of the quiet hours.
    """
    made = channel is None
    channel = channel or Channel(account=account, created_by=actor)
    before = "" if made else channel.kind
    for name, value in fields.items():
        setattr(channel, name, value)
    _check_fields(channel)
    if address or made:
        channel.shown_address = addresses.checked(channel.kind, address)
        channel.address = secrets.box().encrypt(address, context=f"notify.channel.address:{channel.pk}")
    elif channel.kind != before:
        channel.shown_address = _check_stored(channel)
    changed = [*fields, "address", "shown_address", "secret"]  # not what a worker may write meanwhile
    if address or channel.kind != before:
        channel.tried_at, channel.last_error = None, ""
        changed += _LAST_TRY
    secret = _give_secret(channel) if channel.kind in SIGNED and channel.secret is None else None
    channel.save(update_fields=None if made else changed)
    deed = "made" if made else "changed"
    audit.record(account.id, actor=actor, action=f"notify:channel:{deed}", subject=channel.name, kind=channel.kind)
    return channel, secret


def _check_fields(channel: Channel) -> None:
    if channel.timezone not in available_timezones():
        raise ConsentryError("timezone_unknown", f"There is no time zone {channel.timezone}.", "Choose one such as Europe/Amsterdam.")
    if (channel.quiet_from is None) != (channel.quiet_until is None):
        raise ConsentryError("quiet_hours_half", "Quiet hours need a beginning and an end.", "Give both times, or leave both empty.")
    if channel.quiet_from is not None and channel.quiet_from == channel.quiet_until:
        raise ConsentryError("quiet_hours_empty", "The quiet hours end when they begin.", "Give two different times, or leave both empty.")
    if Channel.objects.filter(account=channel.account_id, name=channel.name).exclude(pk=channel.pk).exists():
        raise ConsentryError("channel_name_taken", f"There is a channel called {channel.name} already.", "Choose another name.")


def _check_stored(channel: Channel) -> str:
    try:
        return addresses.checked(channel.kind, _address(channel))
    except ConsentryError as error:
        label = ChannelKind(channel.kind).label
        raise ConsentryError(error.code, f"The stored address is not one for “{label}”.", "Enter the new address as well.") from error


def _give_secret(channel: Channel) -> str:
    secret = senders.new_secret()
    channel.secret = secrets.box().encrypt(secret, context=f"notify.channel.secret:{channel.pk}")
    return secret


@transaction.atomic
def replace_secret(channel: Channel, *, actor: str) -> None:
    """Sign with a new secret from now on; the old one is gone. Raises ``ConsentryError`` for a kind that is not signed."""
    if channel.kind not in SIGNED:
        raise ConsentryError("channel_not_signed", "Messages over this channel are not signed.", "Only webhooks have a signing secret.")
    _give_secret(channel)
    channel.tried_at, channel.last_error = None, ""
    channel.save(update_fields=["secret", *_LAST_TRY])
    audit.record(channel.account_id, actor=actor, action="notify:channel:secret_replaced", subject=channel.name)


@transaction.atomic
def switch_channel(channel: Channel, *, enabled: bool, actor: str) -> None:
    """Switch a channel on or off. Nothing is queued for one that is off; what waited before goes out when it is on again."""
    channel.enabled, channel.disabled_reason = enabled, "" if enabled else f"Switched off by {actor}."
    channel.save(update_fields=["enabled", "disabled_reason"])
    audit.record(channel.account_id, actor=actor, action="notify:channel:switched", subject=channel.name, enabled=enabled)
    if enabled:
        events.emit("notify:delivery:queued", channel_id=str(channel.pk))


@transaction.atomic
def delete_channel(channel: Channel, *, actor: str) -> None:
    """Delete a channel with its log."""
    audit.record(channel.account_id, actor=actor, action="notify:channel:deleted", subject=channel.name)
    channel.delete()


def listening(account_id: UUID, severity: str) -> list[Channel]:
    """The channels that are told of what is as grave as this."""
    return [
        channel
        for channel in Channel.objects.filter(account=account_id)
        if _WEIGHTS.get(severity, 0) >= _WEIGHTS[channel.least_severity] and (channel.enabled or not channel.disabled_reason)
    ]


def publish(account_id: UUID, *, kind: str, severity: str, title: str, body: str, data: dict[str, Any], systems_only: bool = False) -> int:
    """Queue a message for every channel that wants it, in the caller's transaction. Returns for how many.

    With ``systems_only`` it goes to webhooks and syslog, not to mail and chats.
    """
    moment = now()
    message_id = f"msg_{uuid.uuid4().hex}"
    found = [channel for channel in listening(account_id, severity) if not (systems_only and channel.kind == ChannelKind.CHAT)]
    Delivery.objects.bulk_create(
        Delivery(
            channel=channel, message_id=message_id, kind=kind, severity=severity, title=title, body=body, data=data,
            created_at=moment, due_at=due_at(channel, severity, moment),
        )
        for channel in found
    )  # fmt: skip
    for channel in found:
        events.emit("notify:delivery:queued", channel_id=str(channel.pk))
    return len(found)


def test_channel(channel: Channel, *, actor: str) -> Delivery:
    """Send a message now, whatever pace and quiet hours say, and return how it went."""
    moment = now()
    delivery = Delivery.objects.create(
        channel=channel, message_id=f"msg_{uuid.uuid4().hex}", kind="test", severity=Severity.LOW, title="Consentry can reach you",
        body=f"{actor} sent this to try the channel {channel.name}.", data={"channel": channel.name}, created_at=moment, due_at=moment,
    )  # fmt: skip
    _send(channel, [delivery])
    return delivery


@transaction.atomic
def replay(delivery: Delivery, *, actor: str) -> None:
    """Send once more, under the same message id and with the whole back-off again. Earlier tries stay in the log."""
    delivery.state, delivery.due_at, delivery.delivered_at = DeliveryState.PENDING, now(), None
    delivery.tries = [{**attempt, "replayed": True} for attempt in delivery.tries]
    delivery.save(update_fields=["state", "due_at", "delivered_at", "tries"])
    audit.record(delivery.channel.account_id, actor=actor, action="notify:delivery:replayed", subject=delivery.title)
    events.emit("notify:delivery:queued", channel_id=str(delivery.channel_id))


def deliver_due(channel_id: UUID | None = None) -> int:
    """Send what is due, over one channel or all. Returns how many were delivered.

    Several workers never send the same at once; what a dead one had taken is due again after a while, under the same message id.
    """
    delivered = 0
    while claimed := _claim(channel_id):
        delivered += _send(claimed[0].channel, claimed)
    return delivered


def waiting_channels() -> list[UUID]:
    """The channels that have something to send now."""
    return sorted(set(_due().values_list("channel_id", flat=True)))


def next_due(channel_id: UUID, within: timedelta) -> datetime | None:
    """When the next message over a channel is due, if that is so soon."""
    waiting = Delivery.objects.filter(channel=channel_id, channel__enabled=True, state=DeliveryState.PENDING, due_at__lte=now() + within)
    return waiting.order_by("due_at").values_list("due_at", flat=True).first()


def _due() -> QuerySet[Delivery]:
    return Delivery.objects.filter(state=DeliveryState.PENDING, due_at__lte=now(), channel__enabled=True)


@transaction.atomic
def _claim(channel_id: UUID | None) -> list[Delivery]:
    """The next message, or the next digest, held for as long as a try may take."""
    found = _due().select_related("channel").select_for_update(skip_locked=True, of=("self",)).order_by("due_at", "created_at")
    if channel_id is not None:
        found = found.filter(channel=channel_id)
    first = found.first()
    if first is None:
        return []
    together = first.channel.kind == ChannelKind.CHAT and first.channel.pace != Pace.AT_ONCE
    claimed = list(found.filter(channel=first.channel)[:_MOST_TOGETHER]) if together else [first]
    Delivery.objects.filter(pk__in=[one.pk for one in claimed]).update(due_at=now() + _LEASE)
    return claimed


def due_at(channel: Channel, severity: str, moment: datetime) -> datetime:
    """When a message goes out over a channel: what is critical at once, the rest with the next digest and after the quiet hours."""
    if severity == Severity.CRITICAL:
        return moment
    local = moment.astimezone(ZoneInfo(channel.timezone))
    if channel.pace == Pace.HOURLY:
        local = local.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    elif channel.pace == Pace.DAILY:
        today = local.replace(hour=_DAILY_AT.hour, minute=0, second=0, microsecond=0)
        local = today if today > local else today + timedelta(days=1)
    if channel.quiet_from and channel.quiet_until and _quiet(channel, local.time()):
        end = local.replace(hour=channel.quiet_until.hour, minute=channel.quiet_until.minute, second=0, microsecond=0)
        local = end if end > local else end + timedelta(days=1)
    return local if channel.pace != Pace.AT_ONCE or local.astimezone(moment.tzinfo) > moment else moment


def _quiet(channel: Channel, at: time) -> bool:
    begin, end = channel.quiet_from, channel.quiet_until
    if begin is None or end is None:
        return False
    return begin <= at < end if begin <= end else at >= begin or at < end


def _send(channel: Channel, deliveries: list[Delivery]) -> int:
    """One try. Returns how many were delivered."""
    moment = now()
    error, pause = _try(channel, deliveries, moment)
    for one in deliveries:
        one.tries = [*one.tries, {"at": moment.isoformat(), "error": error}][-_KEPT_TRIES:]
        failures = sum(1 for attempt in one.tries if attempt["error"] and not attempt.get("replayed"))
        if not error:
            one.state, one.delivered_at = DeliveryState.DELIVERED, moment
        elif failures > len(RETRIES) or one.kind == "test":
            one.state = DeliveryState.FAILED
        else:
            one.due_at = moment + max(pause, RETRIES[failures - 1]) * random.uniform(1, 1 + _JITTER)  # noqa: S311  # jitter
        one.save(update_fields=["tries", "state", "delivered_at", "due_at"])
    # Says nothing of a kind, address or secret that came during the try, and leaves a try that began later its word.
    sealed = {"address": bytes(channel.address), "secret": bytes(channel.secret) if channel.secret else None}
    earlier = Q(tried_at=None) | Q(tried_at__lt=moment)
    Channel.objects.filter(earlier, pk=channel.pk, kind=channel.kind, **sealed).update(tried_at=moment, last_error=error)
    return 0 if error else len(deliveries)


def _try(channel: Channel, deliveries: list[Delivery], moment: datetime) -> tuple[str, timedelta]:
    """Why it failed, empty when it did not, and the pause that the receiver asks for. Never raises for what a sender does."""
    try:
        _hand_over(channel, [_message(one) for one in deliveries], moment)
    except NotDelivered as problem:
        if problem.gone:
            channel.enabled, channel.disabled_reason = False, "The receiver answered that it wants no more messages (410)."
            channel.save(update_fields=["enabled", "disabled_reason"])
        return str(problem), problem.pause
    except ConsentryError as problem:  # a sealed address that no key opens
        return f"{problem.what} {problem.remedy}", timedelta()
    except Exception as problem:  # noqa: BLE001  # else it would be claimed again for ever, with no try on record
        place = traceback.extract_tb(problem.__traceback__)[-1]
        # Not its text, which may quote an address with its password.
        _log.error("channel %s failed with %s at %s:%s", channel.pk, type(problem).__name__, place.filename, place.lineno)
        return f"The message can't be sent to {channel.shown_address} ({type(problem).__name__}). Enter the address again.", timedelta()
    return "", timedelta()


def _hand_over(channel: Channel, messages: list[Message], moment: datetime) -> None:
    address = _address(channel)
    if channel.kind == ChannelKind.CHAT:
        senders.send_chat(address, messages)
        return
    for message in messages:
        if channel.kind == ChannelKind.SYSLOG:
            senders.send_syslog(address, message)
        else:
            payload = senders.ocsf_finding(message) if channel.kind == ChannelKind.OCSF else senders.webhook_payload(message)
            senders.send_webhook(address, str.__str__(signing_secret(channel)), message, payload, now=moment)


def _address(channel: Channel) -> str:
    return str.__str__(secrets.box().decrypt(bytes(channel.address), context=f"notify.channel.address:{channel.pk}"))


def signing_secret(channel: Channel) -> Secret:
    """The secret with which a webhook is signed."""
    return secrets.box().decrypt(bytes(channel.secret or b""), context=f"notify.channel.secret:{channel.pk}")


def _message(delivery: Delivery) -> Message:
    return Message(delivery.message_id, delivery.kind, delivery.severity, delivery.title, delivery.body, delivery.data, delivery.created_at)


def channels(account: Account) -> Iterable[Channel]:
    """The account's channels by name."""
    return Channel.objects.filter(account=account).order_by("name")
