"""How a message leaves: each sender delivers or raises, ``NotDelivered`` with one sentence for all that is to be expected."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NameResolutionError

from consentry import __version__
from consentry.core.hostile import display_text
from consentry.notify import addresses

TIMEOUT_SECONDS = 15
_SECRET_PREFIX = "whsec_"  # noqa: S105  # the public prefix of such secrets
_SEVERITY_IDS = {"low": 2, "medium": 3, "high": 4, "critical": 5}  # OCSF
_SYSLOG_LEVELS = {"low": 5, "medium": 4, "high": 3, "critical": 2}  # RFC 5424: notice, warning, error, critical
_SYSLOG_FACILITY = 13  # log audit
_LONGEST_PAUSE = timedelta(hours=1)  # that a receiver may ask for
_ACTIVITIES = {
    "alert.reopened": (2, "Update"),
    "alert.repeated": (2, "Update"),
    "alert.resolved": (3, "Close"),
    "alert.dismissed": (3, "Close"),
}  # OCSF; others create
_STATUSES = {"acknowledged": (2, "In Progress"), "dismissed": (3, "Suppressed"), "resolved": (4, "Resolved")}  # OCSF; others are new
_SYSLOG_PORTS = {"udp": 514, "tcp": 601, "tls": 6514}


class NotDelivered(Exception):
    """Why a try failed and what to do, a sentence each; ``gone`` when the receiver wants no more, ``pause`` when it wants to be left alone."""

    def __init__(self, why: str, remedy: str, *, gone: bool = False, pause: timedelta = timedelta()) -> None:
        super().__init__(f"{why} {remedy}")
        self.gone = gone
        self.pause = pause


@dataclass(frozen=True, slots=True)
class Message:
    """What is told. ``id`` is the same for every try."""

    id: str
    kind: str
    severity: str
    title: str
    body: str
    data: dict[str, Any]
    at: datetime


def new_secret() -> str:
    """A signing secret as Standard Webhooks writes it: ``whsec_`` and 32 random bytes in base64."""
    return _SECRET_PREFIX + base64.b64encode(os.urandom(32)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The ``webhook-signature`` of a body. Source: github.com/standard-webhooks/standard-webhooks, spec."""
    key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def send_webhook(address: str, secret: str, message: Message, payload: dict[str, Any], *, now: datetime) -> None:
    """POST ``payload``, signed. Redirects are not followed. Raises ``NotDelivered`` for anything but a 2xx."""
    host = urlsplit(address).hostname or ""
    _refuse_off_limits(host)
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    timestamp = int(now.timestamp())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"Consentry/{__version__}",
        "webhook-id": message.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, message.id, timestamp, body),
    }
    try:
        with requests.post(address, data=body, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True) as answer:
            status, asked = answer.status_code, answer.headers.get("Retry-After", "")
    except requests.RequestException as error:
        raise _unreachable(host, error) from error
    if not 200 <= status < 300:
        raise NotDelivered(f"{host} answered with status {status}.", _advice(status), gone=status == 410, pause=_pause(asked, now))


def _advice(status: int) -> str:
    """What to do about an answer that is not a 2xx."""
    if 300 <= status < 400:
        return "Redirects are not followed: enter the address to which it leads."
    if status in {401, 403}:
        return "Check the password or token in the address, and that the receiver has this channel's signing secret."
    if status in {404, 405}:
        return "Check the path of the address."
    if status == 410:
        return "The receiver wants no more messages; make a new address there, or delete the channel."
    if status in {408, 425, 429}:
        return "The receiver is busy; try again later."
    if status >= 500:
        return "The fault is at the receiver: look into its log."
    return "The receiver refuses the message: check the address, and look into its log."


def _unreachable(host: str, error: Exception) -> NotDelivered:
    """Why no answer came, by what the network says."""
    if isinstance(error, requests.exceptions.SSLError | ssl.SSLError):
        return NotDelivered(
            f"A secure connection to {host} can't be made.", "Check its certificate: the names in it, its last day and who issued it."
        )
    if isinstance(error, requests.Timeout | TimeoutError):
        return NotDelivered(
            f"{host} did not answer within {TIMEOUT_SECONDS} seconds.", "Check that it runs, and that a firewall lets this machine through."
        )
    if isinstance(_reason(error), socket.gaierror | NameResolutionError):
        return NotDelivered(f"{host} can't be found.", "Check the name in the address, and that this machine can look it up.")
    what = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
    return NotDelivered(f"{host} can't be reached ({what}).", "Check host and port of the address, and that the receiver runs.")


def _reason(error: Exception) -> object:
    """What urllib3 gives as the cause, which requests wraps; otherwise the error itself."""
    return getattr(error.args[0], "reason", error) if error.args else error


def _refuse_off_limits(host: str) -> None:
    """Raise ``NotDelivered`` when a name stands for an address to which nothing may be sent."""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return  # a proxy may know it; if not, the try itself says what is wrong
    if any(addresses.is_off_limits(one) for one in found):
        raise NotDelivered(
            f"{host} is a link-local address or a metadata service, to which nothing is sent.", "Enter the address of the receiver itself."
        )


def _pause(asked: str, moment: datetime) -> timedelta:
    """What a ``Retry-After`` asks for, in seconds or as a date (RFC 9110), an hour at most; nothing when it can't be read."""
    try:
        wait = timedelta(seconds=int(asked)) if asked.strip().isdecimal() else _aware(parsedate_to_datetime(asked)) - moment
    except OverflowError:  # more seconds than a timedelta holds
        return _LONGEST_PAUSE
    except ValueError:
        return timedelta()
    return min(max(wait, timedelta()), _LONGEST_PAUSE)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def webhook_payload(message: Message) -> dict[str, Any]:
    """The body of a webhook."""
    return {"type": message.kind, "timestamp": _stamp(message.at), "data": message.data}


def ocsf_finding(message: Message) -> dict[str, Any]:
    """The message as an OCSF 1.3 detection finding (class 2004). Source: schema.ocsf.io."""
    data = message.data
    activity_id, activity = _ACTIVITIES.get(message.kind, (1, "Create"))
    status_id, status = _STATUSES.get(str(data.get("state")), (1, "New"))
    technique, _, name = str(data.get("technique") or "").partition(" ")
    finding: dict[str, Any] = {
        "uid": str(data.get("alert_id") or message.id),  # the same from create to close, so that a SIEM sees one finding
        "title": message.title,
        "desc": message.body,
        "types": [str(data.get("policy") or message.kind)],
    }
    if technique:
        finding["attacks"] = [{"technique": {"uid": technique, "name": name}}]
    return {
        "class_uid": 2004,
        "category_uid": 2,
        "activity_id": activity_id,
        "activity_name": activity,
        "type_uid": 200400 + activity_id,
        "status_id": status_id,
        "status": status,
        "status_detail": data.get("reason") or "",
        "time": int(message.at.timestamp() * 1000),
        "severity_id": _SEVERITY_IDS.get(message.severity, 1),
        "severity": message.severity.capitalize(),
        "message": message.title,
        "metadata": {
            "version": "1.3.0",
            "uid": message.id,
            "product": {"name": "Consentry", "vendor_name": "Consentry", "version": __version__},
        },
        "finding_info": finding,
        "resources": [{"type": "application", "name": data.get("plugin"), "uid": data.get("app_id")}] if data.get("plugin") else [],
        "unmapped": data,
    }


def send_syslog(address: str, message: Message) -> None:
    """One RFC 5424 message with the finding as JSON, over ``udp://``, ``tcp://`` or ``tls://``. Raises ``NotDelivered``."""
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or _SYSLOG_PORTS.get(parts.scheme, 514)
    _refuse_off_limits(host)
    priority = _SYSLOG_FACILITY * 8 + _SYSLOG_LEVELS.get(message.severity, 6)
    text = json.dumps(ocsf_finding(message), separators=(",", ":"))
    name = socket.gethostname() or "-"
    line = f"<{priority}>1 {_stamp(message.at)} {name} consentry {os.getpid()} {message.kind} - {text}".encode()
    try:
        if parts.scheme == "udp":
            family, kind, _, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, kind) as datagram:
                datagram.sendto(line, target)
            return
        with socket.create_connection((host, port), timeout=TIMEOUT_SECONDS) as plain:
            framed = str(len(line)).encode() + b" " + line  # RFC 6587, octet counting
            if parts.scheme == "tls":
                with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as sealed:
                    sealed.sendall(framed)
            else:
                plain.sendall(framed)
    except OSError as error:
        raise _unreachable(host, error) from error


def send_chat(address: str, messages: Sequence[Message]) -> None:
    """One or more messages by apprise (mail, Slack, Teams and many more). Redirects are not followed. Raises ``NotDelivered``."""
    room = addresses.chat_room(address)
    if room is None:
        raise NotDelivered("The address is not one that apprise knows.", "See github.com/caronc/apprise/wiki.")
    for host in sorted(addresses.chat_hosts(room)):
        _refuse_off_limits(host)
    for service in room:
        service.redirects = False  # whatever the address says: they could lead to what was just refused
    title = display_text(messages[0].title if len(messages) == 1 else f"{len(messages)} messages of Consentry")
    lines = [message.body if len(messages) == 1 else f"{message.title}\n{message.body}" for message in messages]
    body = "\n\n".join("\n".join(display_text(line) for line in text.splitlines()) for text in lines)
    if not room.notify(title=title, body=body, body_format="text"):
        raise NotDelivered(
            "The service did not take the message.", "Check the host, and the password or token in the address, and that the service is up."
        )


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
