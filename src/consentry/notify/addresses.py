"""What the address of a channel may be, and how much of it may be shown."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

from consentry.core.errors import ConsentryError
from consentry.notify.models import ChannelKind

_SCHEMES = {
    ChannelKind.WEBHOOK: ("https", "http"),
    ChannelKind.OCSF: ("https", "http"),
    ChannelKind.SYSLOG: ("udp", "tcp", "tls"),
}
# Where clouds hand a machine its keys and that is not link-local: Alibaba, Azure, Oracle, AWS over IPv6.
_METADATA = frozenset(ip_address(one) for one in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"))


def checked(kind: str, address: str) -> str:
    """The address as it may be shown. Raises ``ConsentryError`` when a channel of this kind can't use it."""
    wrong = ConsentryError(
        "address_not_understood",
        "The address is not one that this kind of channel can use.",
        "A webhook begins with https://, syslog with udp://, tcp:// or tls://; for mail and chats see github.com/caronc/apprise/wiki.",
    )
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port if kind != ChannelKind.CHAT else None
    except ValueError as error:
        raise wrong from error
    if kind == ChannelKind.CHAT and not is_chat_address(address):
        raise wrong
    if kind != ChannelKind.CHAT and not (parts.scheme in _SCHEMES[ChannelKind(kind)] and is_host(host)):
        raise wrong
    if is_off_limits(host):
        raise ConsentryError(
            "address_off_limits",
            "Nothing is sent to link-local addresses and metadata services such as 169.254.169.254.",
            "Enter the address of the receiver itself.",
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise ConsentryError(
            "address_insecure",
            "Over plain http, messages can be read and changed on their way.",
            "Use https; http is accepted for loopback addresses only.",
        )
    return f"{parts.scheme}://…" if kind == ChannelKind.CHAT else _shown(parts, host, port)


def _shown(parts: SplitResult, host: str, port: int | None) -> str:
    """Without user, password, path and query."""
    shown_host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown_host}{f':{port}' if port else ''}{'/…' if parts.path.strip('/') or parts.query else ''}"


def is_host(host: str) -> bool:
    """True when ``host`` can be looked up: no label is empty or too long, and nothing in it is a space or can't be seen."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return bool(host) and host.isprintable() and " " not in host


def is_chat_address(address: str) -> bool:
    """True when apprise knows what to do with the address."""
    import apprise  # as in senders.send_chat

    return bool(apprise.Apprise().add(address))


def is_loopback(host: str) -> bool:
    """True for what never leaves this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_off_limits(host: str) -> bool:
    """True for a literal address that is link-local or a known metadata service, where a cloud keeps the keys of its machines.

    What a name stands for is only known when something is sent.
    """
    try:
        found = ip_address(host)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return found.is_link_local or found in _METADATA
