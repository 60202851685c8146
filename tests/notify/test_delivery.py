"""From a consent at Microsoft to a message at a receiver, and what happens when the receiver is not there."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import socketserver
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from email import message_from_bytes
from email.policy import default
from email.utils import format_datetime

import pytest
from procrastinate.contrib.django import app as jobs
from tests.notify.receiving import Receiver, administrator, channel, tell, work
from tests.world import World

from consentry.accounts import services as accounts
from consentry.connect.models import Integration
from consentry.core import secrets
from consentry.core.clock import now
from consentry.core.errors import ConsentryError
from consentry.inventory.models import Plugin
from consentry.notify import services
from consentry.notify.models import Channel, ChannelKind, Delivery
from consentry.policy import services as policies
from consentry.policy.models import Alert


def check(secret: str, headers: dict[str, str], body: bytes) -> None:
    """As a receiver checks it (Standard Webhooks)."""
    key = base64.b64decode(secret.split("_", 1)[1])
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    assert headers["webhook-signature"] == "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60


def test_a_consent_becomes_a_delivered_webhook_within_one_polling_interval(make_world: Callable[..., World], receiver: Receiver) -> None:
    world = make_world(plugins=60, users=60)
    world.sync()
    _, secret = channel(receiver.address)
    directory = world.directory
    graph = next(row for row in directory.service_principals.values() if len(row["appRoles"]) > 3)
    harmless = Plugin.objects.filter(
        connector_id=world.connector_id, origin="third_party", risk_score__lt=3, permission_level="low"
    ).first()
    assert harmless is not None
    role = next(one["id"] for one in graph["appRoles"] if one["value"] == "RoleManagement.ReadWrite.Directory")
    directory.assign(str(harmless.service_principal_id), graph["id"], role)

    began = time.monotonic()
    Integration.objects.filter(pk=world.integration.pk).update(next_sync_at=now())  # the polling interval is over
    world.fresh_budget()
    jobs.configure_task("sync.schedule").defer(timestamp=int(time.time()))
    work()
    took = timedelta(seconds=time.monotonic() - began)

    assert took < timedelta(minutes=world.integration.sync_every_minutes)
    alert = Alert.objects.get(plugin=harmless, policy__key="gained_power")
    told = [(headers, json.loads(body), body) for headers, body in receiver.got]
    headers, message, body = next(one for one in told if one[1]["data"]["alert_id"] == str(alert.pk))
    check(secret or "", headers, body)
    assert message["type"] == "alert.opened"
    assert message["data"]["plugin"] == harmless.name
    assert message["data"]["evidence"]["reasons"][0]["signal"] == "permission_reach"
    assert Delivery.objects.get(message_id=headers["webhook-id"]).state == "delivered"


@pytest.mark.django_db(transaction=True)
def test_what_fails_is_seen_and_tried_again_under_the_same_id(receiver: Receiver) -> None:
    channel(receiver.address)
    receiver.status = 500
    tell()
    assert services.deliver_due() == 0
    one = Delivery.objects.get()
    assert (one.state, one.tries[-1]["error"]) == (
        "pending",
        "127.0.0.1 answered with status 500. The fault is at the receiver: look into its log.",
    )
    assert one.due_at > now()
    assert services.deliver_due() == 0  # not due yet
    assert len(receiver.got) == 1
    receiver.status = 204
    Delivery.objects.update(due_at=now())
    assert services.deliver_due() == 1
    services.replay(Delivery.objects.get(), actor="test")
    assert services.deliver_due() == 1
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


@pytest.mark.django_db(transaction=True)
def test_it_is_given_up_in_the_end_and_never_silently(receiver: Receiver) -> None:
    channel(receiver.address)
    receiver.status = 503
    tell()
    for _ in range(len(services.RETRIES) + 1):
        Delivery.objects.update(due_at=now())
        services.deliver_due()
    one = Delivery.objects.get()
    assert (one.state, len(one.tries)) == ("failed", len(services.RETRIES) + 1)


@pytest.mark.django_db(transaction=True)
def test_a_receiver_that_is_gone_switches_its_channel_off(receiver: Receiver) -> None:
    made, _ = channel(receiver.address)
    receiver.status = 410
    tell()
    services.deliver_due()
    made.refresh_from_db()
    assert not made.enabled
    assert "410" in made.disabled_reason
    tell(title="While it is off")
    assert Delivery.objects.count() == 1
    client = administrator()
    said = "New messages are not kept for it"
    assert said in client.get("/administration/notifications/").content.decode()
    assert said in client.get(f"/administration/notifications/{made.pk}/").content.decode()

    receiver.status = 200
    client.post(f"/administration/notifications/{made.pk}/deed/", {"deed": "on"})
    assert said not in client.get("/administration/notifications/").content.decode()
    tell(title="After it is on")
    Delivery.objects.update(due_at=now())
    assert services.deliver_due() == 2


def wait_of(delivery: Delivery) -> float:
    """Seconds from the last try to the next."""
    return (delivery.due_at - datetime.fromisoformat(delivery.tries[-1]["at"])).total_seconds()


@pytest.mark.django_db(transaction=True)
def test_what_is_replayed_has_the_whole_back_off_again(receiver: Receiver) -> None:
    channel(receiver.address)
    receiver.status = 503
    tell()
    for _ in range(2):
        for _ in range(len(services.RETRIES) + 1):
            assert Delivery.objects.get().state == "pending"
            Delivery.objects.update(due_at=now())
            services.deliver_due()
        assert Delivery.objects.get().state == "failed"
        services.replay(Delivery.objects.get(), actor="test")
    services.deliver_due()
    assert 5 <= wait_of(Delivery.objects.get()) <= 6
    assert len(receiver.got) == 2 * (len(services.RETRIES) + 1) + 1


@pytest.mark.django_db(transaction=True)
def test_what_failed_together_does_not_come_back_together(receiver: Receiver) -> None:
    channel(receiver.address)
    receiver.status = 503
    for _ in range(5):
        tell()
    services.deliver_due()
    waits = {wait_of(one) for one in Delivery.objects.all()}
    assert len(waits) == 5
    assert all(5 <= wait <= 6 for wait in waits)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("asked", "least"),
    [
        ("120", 120),
        ("1", 5),
        ("86400", 3600),
        ("9" * 40, 3600),
        ("in a while", 5),
        ("-5", 5),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 5),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600),
    ],
)
def test_a_receiver_may_ask_for_a_pause(receiver: Receiver, asked: str, least: int) -> None:
    channel(receiver.address)
    receiver.status, receiver.retry_after = 429, asked
    tell()
    services.deliver_due()
    assert least <= wait_of(Delivery.objects.get()) <= least * 1.2


@pytest.mark.django_db(transaction=True)
def test_a_pause_may_end_at_a_date(receiver: Receiver) -> None:
    channel(receiver.address)
    receiver.status, receiver.retry_after = 503, format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    tell()
    services.deliver_due()
    assert 590 <= wait_of(Delivery.objects.get()) <= 720


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("webhook", "https://user:hunter2@foo..bar/hunter2"),
        ("ocsf", "https://foo..bar/hunter2"),
        ("syslog", "tcp://foo..bar:514"),
        ("syslog", "udp://foo..bar:514"),
        ("syslog", "tcp://127.0.0.1:99999"),
    ],
)
def test_an_address_that_breaks_a_sender_is_a_failed_try(kind: str, address: str, caplog: pytest.LogCaptureFixture) -> None:
    """Such addresses were stored before they were refused."""
    made, _ = channel("tcp://127.0.0.1:1" if kind == "syslog" else "https://127.0.0.1:1/", kind)
    made.address = secrets.box().encrypt(address, context=f"notify.channel.address:{made.pk}")
    made.save()
    tell()
    with caplog.at_level(logging.ERROR, logger="consentry.notify"):
        assert services.deliver_due() == 0
    one = Delivery.objects.get()
    assert (one.state, len(one.tries)) == ("pending", 1)
    assert one.tries[0]["error"].startswith("The message can't be sent to ")
    assert wait_of(one) >= 5
    assert "Error at " in caplog.text
    assert "hunter2" not in caplog.text + one.tries[0]["error"]
    page = administrator().post(f"/administration/notifications/{made.pk}/deed/", {"deed": "test"}, follow=True)
    assert page.status_code == 200
    assert "The message can&#x27;t be sent" in page.content.decode()


def some_alert(make_world: Callable[..., World]) -> Alert:
    world = make_world(plugins=60, users=60)
    world.sync()
    found = Alert.objects.filter(state="open", audit=False, plugin__removed_at=None).first()
    assert found is not None
    return found


def test_systems_learn_what_is_closed_and_people_do_not(make_world: Callable[..., World], receiver: Receiver) -> None:
    alert = some_alert(make_world)
    channel(receiver.address)
    channel(receiver.address, ChannelKind.OCSF)
    channel(receiver.address.replace("http://", "json://"), ChannelKind.CHAT)
    for state in ("acknowledged", "resolved", "resolved", "open", "dismissed"):
        policies.change_alert(alert, state, reason="Ours" if state == "dismissed" else "", actor="me")
        services.deliver_due()
    bodies = [json.loads(body) for _, body in receiver.got]
    plain = [one for one in bodies if "class_uid" not in one]
    assert [one["type"] for one in plain] == ["alert.resolved", "alert.reopened", "alert.dismissed"]
    assert [(one["data"]["state"], one["data"]["closed_by"]) for one in plain] == [("resolved", "me"), ("open", ""), ("dismissed", "me")]
    findings = [one for one in bodies if "class_uid" in one]
    assert [(one["activity_id"], one["type_uid"], one["status"]) for one in findings] == [
        (3, 200403, "Resolved"),
        (2, 200402, "New"),
        (3, 200403, "Suppressed"),
    ]
    assert {one["finding_info"]["uid"] for one in findings} == {str(alert.pk)}
    assert findings[-1]["status_detail"] == "Ours"


def test_systems_learn_what_resolves_itself(make_world: Callable[..., World], receiver: Receiver) -> None:
    alert = some_alert(make_world)
    channel(receiver.address)
    Plugin.objects.filter(pk=alert.plugin_id).update(removed_at=now())
    policies.evaluate(accounts.default_account(), [alert.plugin_id], {})
    services.deliver_due()
    told = {one["data"]["alert_id"]: one for one in (json.loads(body) for _, body in receiver.got)}[str(alert.pk)]
    assert (told["type"], told["data"]["reason"]) == ("alert.resolved", "The condition no longer holds.")


def test_systems_learn_that_a_policy_was_deleted(make_world: Callable[..., World], receiver: Receiver) -> None:
    make_world(plugins=60, users=60).sync()
    rule = [[{"field": "risk", "value": ["high", "critical"]}]]
    made = policies.save_policy(
        accounts.default_account(), None, title="Ours", why="", severity="low", rule=rule, state="active", cooldown_hours=0, actor="me"
    )
    policies.look_at(made.pk)
    open_ones = set(map(str, Alert.objects.filter(policy=made).values_list("pk", flat=True)))
    channel(receiver.address)
    policies.delete_policy(made, actor="me")
    policies.finish_deletion(made.pk, actor="me")
    services.deliver_due()
    told = {one["data"]["alert_id"]: one for one in (json.loads(body) for _, body in receiver.got)}
    assert told.keys() == open_ones != set()
    assert {(one["type"], one["data"]["reason"], one["data"]["closed_by"]) for one in told.values()} == {
        ("alert.resolved", "Its policy was deleted.", "me")
    }


@pytest.mark.django_db(transaction=True)
def test_what_is_critical_does_not_wait_for_a_digest(receiver: Receiver) -> None:
    channel(receiver.address.replace("http://", "json://"), ChannelKind.CHAT, pace="daily")
    tell("high", title="Later")
    tell("critical", title="Now")
    assert services.deliver_due() == 1
    ((_, body),) = receiver.got
    assert "Now" in json.loads(body)["title"]
    assert Delivery.objects.get(state="pending").title == "Later"
    assert "What is critical leaves at once." in administrator().get("/administration/notifications/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_what_a_dead_worker_had_taken_is_sent_by_the_next(receiver: Receiver) -> None:
    channel(receiver.address)
    tell()
    assert len(services._claim(None)) == 1  # and then the worker dies
    assert services.deliver_due() == 0
    Delivery.objects.update(due_at=now())  # the lease ends
    assert services.deliver_due() == 1


@pytest.mark.django_db(transaction=True)
def test_severity_decides_who_is_told(receiver: Receiver) -> None:
    channel(receiver.address, least_severity="high")
    tell("medium")
    tell("critical")
    assert Delivery.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_digest_is_one_message(receiver: Receiver) -> None:
    channel(receiver.address.replace("http://", "json://"), ChannelKind.CHAT, pace="hourly")
    tell(title="First")
    tell(title="Second")
    assert services.deliver_due() == 0
    Delivery.objects.update(due_at=now())
    assert services.deliver_due() == 2
    ((_, body),) = receiver.got
    text = json.loads(body)["message"]
    assert "First" in text and "Second" in text
    assert "\u202e" not in text


class _Mailbox(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as a client without encryption and sign-in needs."""

    def handle(self) -> None:
        def say(line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        say("220 mail.demo.example")
        for raw in self.rfile:
            verb = raw.decode().strip().upper()
            if verb.startswith("DATA"):
                say("354 go on")
                self.server.letters.append(b"".join(iter(self.rfile.readline, b".\r\n")))  # type: ignore[attr-defined]
            say("221 bye" if verb == "QUIT" else "250 yes")
            if verb == "QUIT":
                return


@pytest.mark.django_db(transaction=True)
def test_mail_arrives_without_what_turns_text_around() -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Mailbox) as server:
        server.letters = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"mailto://127.0.0.1:{server.server_address[1]}?from=console@demo.example&to=security@demo.example&mode=insecure"
        channel(address, ChannelKind.CHAT)
        tell(title="Acme \u202eNotes gained Mail.Send")
        assert services.deliver_due() == 1
        server.shutdown()
        (letter,) = [message_from_bytes(one, policy=default) for one in server.letters]  # type: ignore[attr-defined]
    assert "security@demo.example" in letter["To"]
    assert letter["Subject"] == "Acme Notes gained Mail.Send"
    assert Delivery.objects.get().state == "delivered"


@pytest.mark.django_db(transaction=True)
def test_a_siem_gets_ocsf(receiver: Receiver) -> None:
    _, secret = channel(receiver.address, ChannelKind.OCSF)
    tell("critical")
    services.deliver_due()
    headers, body = receiver.got[0]
    check(secret or "", headers, body)
    finding = json.loads(body)
    assert (finding["class_uid"], finding["type_uid"], finding["severity_id"]) == (2004, 200401, 5)
    assert finding["finding_info"]["attacks"] == [{"technique": {"uid": "T1528", "name": "Steal"}}]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scheme", ["tcp", "udp"])
def test_syslog(scheme: str) -> None:
    got: list[bytes] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            got.append(self.request[0] if scheme == "udp" else self.request.recv(65536))

    kind = socketserver.UDPServer if scheme == "udp" else socketserver.TCPServer
    with kind(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        channel(f"{scheme}://127.0.0.1:{server.server_address[1]}", ChannelKind.SYSLOG)
        tell("critical")
        assert services.deliver_due() == 1
        deadline = time.monotonic() + 10
        while not got and time.monotonic() < deadline:
            time.sleep(0.01)
        server.shutdown()
    line = got[0]
    if scheme == "tcp":
        length, _, line = line.partition(b" ")
        assert int(length) == len(line)
    assert line.startswith(b"<106>1 20")
    assert json.loads(line[line.index(b"{") :])["class_uid"] == 2004


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("webhook", "ftp://a"),
        ("webhook", "http://example.com/"),
        ("ocsf", "http://192.168.0.5/"),
        ("webhook", "http://localhost.example.com/"),
        ("webhook", "https://169.254.169.254/latest"),
        ("webhook", "https://[fe80::1]/"),
        ("webhook", "https://[::ffff:169.254.169.254]/"),
        ("ocsf", "https://[fd00:ec2::254]/"),
        ("syslog", "tcp://169.254.1.1:514"),
        ("webhook", "https://2852039166/"),
        ("webhook", "https://0xa9fea9fe/"),
        ("ocsf", "https://0251.0376.0251.0376/"),
        ("syslog", "udp://169.254.43518:514"),
        ("webhook", "https://[64:ff9b::a9fe:a9fe]/"),
        ("webhook", "https://[64:ff9b::169.254.169.254]/"),
        ("ocsf", "https://[2002:a9fe:a9fe::1]/"),
        ("chat", "jsons://169.254.169.254/"),
        ("chat", "jsons://2852039166/x"),
        ("chat", "jsons://0xa9fea9fe/"),
        ("chat", "xmls://[64:ff9b::a9fe:a9fe]/"),
        ("chat", "forms://[::ffff:169.254.169.254]/"),
        ("chat", "gotify://169.254.169.254/token"),
        ("chat", "mailtos://user:password@a.example?smtp=0xa9fea9fe"),
        ("chat", "jsons://a.example/, jsons://169.254.169.254/"),
        ("chat", "json://a.example/"),
        ("chat", "xml://192.168.0.5/"),
        ("chat", "form://metadata.google.internal/"),
        ("chat", "json://127.0.0.1/, json://a.example/"),
        ("webhook", "https://"),
        ("syslog", "https://a"),
        ("chat", "nonsense"),
        ("webhook", ""),
        ("webhook", "https://foo..bar/"),
        ("ocsf", "https://two words/"),
        ("syslog", "tcp://foo..bar:514"),
        ("syslog", f"udp://{'a' * 64}.example"),
        ("chat", "json://foo..bar/"),
    ],
)
def test_addresses_that_cannot_be(kind: str, address: str) -> None:
    with pytest.raises(ConsentryError):
        channel(address, kind)
    assert not Channel.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("webhook", "http://localhost:9/"),
        ("webhook", "http://127.0.0.9:9/"),
        ("ocsf", "http://[::1]:9/"),
        ("webhook", "https://10.1.2.3/"),
        ("ocsf", "https://192.168.0.5:8088/"),
        ("syslog", "tcp://10.1.2.3:514"),
        ("webhook", "https://[64:ff9b::a01:203]/"),
        ("webhook", "https://[2002:a01:203::1]/"),
        ("webhook", "https://167838211/"),
    ],
)
def test_addresses_of_this_machine_and_of_private_networks(kind: str, address: str) -> None:
    made, _ = channel(address, kind)
    assert made.shown_address == address.removesuffix("/")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    [
        "json://localhost:9/x",
        "form://[::1]:9/",
        "jsons://10.1.2.3/x",
        "mailtos://user:password@a.example?smtp=10.1.2.3",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/general",
        "tgram://2852039166:abcdefg/12315544/",  # a token that would be 169.254.169.254 as a number
    ],
)
def test_chats_of_this_machine_of_private_networks_and_at_services(address: str) -> None:
    made, _ = channel(address, ChannelKind.CHAT)
    assert made.shown_address == f"{address.partition(':')[0]}://…"


@pytest.mark.django_db
def test_quiet_hours_and_digests() -> None:
    at = datetime(2026, 3, 10, 21, 30, tzinfo=UTC)  # 22:30 in Amsterdam
    quiet, _ = channel(
        "https://a.example/x",
        quiet_from=clock(22),
        quiet_until=clock(7),
        timezone="Europe/Amsterdam",
    )
    assert services.due_at(quiet, "high", at) == datetime(2026, 3, 11, 6, 0, tzinfo=UTC)
    assert services.due_at(quiet, "critical", at) == at
    assert services.due_at(quiet, "high", at - timedelta(hours=2)) == at - timedelta(hours=2)
    daily, _ = channel("https://b.example/x", name="daily", pace="daily", timezone="Europe/Amsterdam")
    assert services.due_at(daily, "high", at) == datetime(2026, 3, 11, 7, 0, tzinfo=UTC)


@pytest.mark.django_db(transaction=True)
def test_the_page_makes_tests_and_forgets_a_channel(receiver: Receiver) -> None:
    client = administrator()
    form = {"kind": "webhook", "name": "Ours", "address": receiver.address, "least_severity": "low", "pace": "at_once", "timezone": "UTC"}
    page = client.post("/administration/notifications/", form, follow=True).content.decode()
    assert "whsec_" in page
    assert "secret-path" not in page
    made = Channel.objects.get()
    assert b"secret-path" not in bytes(made.address)
    assert "whsec_" not in client.get("/administration/notifications/").content.decode()
    page = client.post(f"/administration/notifications/{made.pk}/deed/", {"deed": "test"}, follow=True).content.decode()
    assert "A test message went out" in page
    receiver.status = 400
    page = client.post(f"/administration/notifications/{made.pk}/deed/", {"deed": "test"}, follow=True).content.decode()
    assert "answered with status 400" in page
    assert client.post(f"/administration/notifications/{made.pk}/", {**form, "address": "", "name": "Renamed"}).status_code == 302
    asked = client.get(f"/administration/notifications/{made.pk}/delete/").content.decode()
    assert "Its delivery log is deleted for ever" in asked
    assert Delivery.objects.exists()
    client.post(f"/administration/notifications/{made.pk}/delete/")
    assert not Channel.objects.exists()
    assert not Delivery.objects.exists()
