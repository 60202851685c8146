"""What the address of a channel may be, and how much of it may be shown."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from consentry.core.errors import ConsentryError
from consentry.notify.models import ChannelKind

if TYPE_CHECKING:
    from apprise import Apprise

_SCHEMES = {
    ChannelKind.WEBHOOK: ("https", "http"),
    ChannelKind.OCSF: ("https", "http"),
    ChannelKind.SYSLOG: ("udp", "tcp", "tls"),
}
# Where clouds hand a machine its keys and that is not link-local: Alibaba, Azure, Oracle, AWS over IPv6.
_METADATA = frozenset(ip_address(one) for one in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"))
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address behind it
_PLAIN_CHATS = ("json", "xml", "form")  # as apprise calls what it posts to any host over plain http


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
    room = chat_room(address) if kind == ChannelKind.CHAT else None
    if kind == ChannelKind.CHAT and room is None:
        raise wrong
    hosts = chat_hosts(room) if room else {host}
    if kind != ChannelKind.CHAT and not (parts.scheme in _SCHEMES[ChannelKind(kind)] and is_host(host)):
        raise wrong
    if any(is_off_limits(one) for one in hosts):
        raise ConsentryError(
            "address_off_limits",
            "Nothing is sent to link-local addresses and metadata services such as 169.254.169.254.",
            "Enter the address of the receiver itself.",
        )
    plain = chat_hosts(room, _PLAIN_CHATS) if room else hosts if parts.scheme == "http" else set()
    if not all(is_loopback(one) for one in plain):
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


def chat_room(address: str) -> Apprise | None:
    """What apprise makes of the address, which may be several in a row; nothing when it doesn't know one of them."""
    import apprise  # 30 MB that only a process which needs it loads

    room = apprise.Apprise()
    return room if room.add(address) else None


def chat_hosts(room: Apprise, plain: tuple[str, ...] = ()) -> set[str]:
    """The hosts to which the address makes apprise connect; of the services in ``plain`` only, and without TLS, when there are some.

    Where the service is always at the same place, what stands for a host is a token, which must not reach a name server.
    """
    chosen = [one for one in room if "host" in one.template_tokens and getattr(one, "mode", "") != "cloud"]
    if plain:
        chosen = [one for one in chosen if one.protocol in plain and not one.secure]
    names = (getattr(one, name, None) for one in chosen for name in ("host", "smtp_host", "xmpp_host"))
    return {name.strip("[]") for name in names if name}


def is_loopback(host: str) -> bool:
    """True for what never leaves this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_off_limits(host: str) -> bool:
    """True for a literal address that is link-local or a known metadata service, where a cloud keeps the keys of its machines.

    In any notation that the system reads: ``2852039166``, ``0xa9fea9fe`` and ``0251.0376.0251.0376`` are 169.254.169.254.
    What a name stands for is only known when something is sent.
    """
    try:
        found = ip_address(host)
    except ValueError:
        try:
            found = ip_address(socket.inet_aton(host))
        except (OSError, ValueError):
            return False
    found = _inner(found)
    return found.is_link_local or found in _METADATA


def _inner(found: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address inside an IPv6 one: mapped, behind NAT64, or 6to4; else what was given."""
    if isinstance(found, IPv4Address):
        return found
    if found in _NAT64:
        return IPv4Address(found.packed[-4:])
    return found.ipv4_mapped or found.sixtofour or found
