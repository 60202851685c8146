"""What a channel says of itself: whether it works, its signing secret, its quiet hours, and what to do about a failure."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import time as clock
from datetime import timedelta
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from tests.notify.receiving import Receiver, administrator, channel, tell, work

from consentry.audit.models import AuditEvent
from consentry.core import secrets
from consentry.core.clock import now
from consentry.core.errors import ConsentryError
from consentry.notify import services
from consentry.notify.models import Channel, ChannelKind, Delivery

PAGE = "/administration/notifications/"
BADGES = ("Works", "Failing", "Not tried yet", "Off")


def badge(client: Client) -> str:
    """What the page's only channel says of itself."""
    (said,) = re.findall(rf"</svg>({'|'.join(BADGES)})</span>", client.get(PAGE).content.decode())
    return str(said)


def form(made: Channel, **fields: str) -> dict[str, str]:
    usual = {"kind": made.kind, "name": made.name, "address": "", "least_severity": "low", "pace": made.pace, "timezone": made.timezone}
    return usual | fields


@pytest.mark.django_db(transaction=True)
def test_what_only_waits_does_not_work_yet(receiver: Receiver) -> None:
    client = administrator()
    channel(receiver.address.replace("http://", "json://"), ChannelKind.CHAT, pace="daily")
    tell()
    assert badge(client) == "Not tried yet"
    Delivery.objects.update(due_at=now())
    services.deliver_due()
    assert badge(client) == "Works"
    tell(title="Waits for tomorrow")
    assert badge(client) == "Works", "proved by the last one that was tried"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "Renamed"}, "Works"),
        ({"least_severity": "high", "quiet_from": "22:00", "quiet_until": "07:00"}, "Works"),
        ({"address": "http://127.0.0.1:9/"}, "Not tried yet"),
        ({"kind": "ocsf"}, "Not tried yet"),
    ],
)
def test_another_kind_or_address_has_to_prove_itself(receiver: Receiver, fields: dict[str, str], said: str) -> None:
    client = administrator()
    made, _ = channel(receiver.address)
    client.post(f"{PAGE}{made.pk}/deed/", {"deed": "test"})
    assert badge(client) == "Works"
    assert client.post(f"{PAGE}{made.pk}/", form(made, **fields)).status_code == 302
    assert badge(client) == said


@pytest.mark.django_db(transaction=True)
def test_a_failure_stays_until_something_arrives(receiver: Receiver) -> None:
    client = administrator()
    channel(receiver.address)
    receiver.status = 500
    tell()
    services.deliver_due()
    assert badge(client) == "Failing"
    receiver.status = 200
    Delivery.objects.update(due_at=now())
    services.deliver_due()
    assert badge(client) == "Works"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["address", "secret"])
def test_a_try_with_what_was_replaced_meanwhile_proves_nothing(receiver: Receiver, change: str) -> None:
    client = administrator()
    made, _ = channel(receiver.address)
    before = Channel.objects.get()  # as a worker read it
    if change == "address":
        client.post(f"{PAGE}{made.pk}/", form(made, address="http://127.0.0.1:9/"))
    else:
        services.replace_secret(made, actor="test")
    services.test_channel(before, actor="test")
    assert badge(client) == "Not tried yet"


@pytest.mark.django_db(transaction=True)
def test_a_try_that_began_earlier_and_ended_later_proves_nothing() -> None:
    client = administrator()
    begun, go_on = threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            first = not begun.is_set()
            begun.set()
            self.rfile.read(int(self.headers["Content-Length"]))
            if first:
                go_on.wait(10)
            self.send_response(500 if first else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made, _ = channel(f"http://127.0.0.1:{server.server_address[1]}/")

        def slow() -> str:
            try:
                return tried(Channel.objects.get())
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as other:
            earlier = other.submit(slow)
            assert begun.wait(10)
            assert tried(made) == ""
            assert badge(client) == "Works"
            go_on.set()
            assert "status 500" in earlier.result(10)
        server.shutdown()
    assert badge(client) == "Works"


@pytest.mark.django_db(transaction=True)
def test_saving_keeps_what_a_worker_found_meanwhile(receiver: Receiver) -> None:
    made, _ = channel(receiver.address)
    receiver.status = 410
    services.test_channel(Channel.objects.get(), actor="test")
    fields = {"kind": "webhook", "name": "Renamed", "least_severity": "low", "pace": "at_once", "timezone": "UTC"}
    services.save_channel(made.account, made, actor="test", address="", **fields, quiet_from=None, quiet_until=None)
    made.refresh_from_db()
    assert (made.name, made.enabled, made.last_error[:9]) == ("Renamed", False, "127.0.0.1")


@pytest.mark.django_db(transaction=True)
def test_another_kind_needs_an_address_that_fits(receiver: Receiver) -> None:
    client = administrator()
    made, _ = channel(receiver.address)
    answer = client.post(f"{PAGE}{made.pk}/", form(made, kind="syslog", name="Renamed"))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "The stored address is not one for “Syslog”. Enter the new address as well." in page
    assert ">webhook</h1>" in re.sub(r"\s", "", page), "the heading is still the stored name"
    made.refresh_from_db()
    assert made.kind == "webhook"
    assert client.post(f"{PAGE}{made.pk}/", form(made, kind="syslog", address="tcp://127.0.0.1:9")).status_code == 302
    made.refresh_from_db()
    assert (made.kind, made.shown_address) == ("syslog", "tcp://127.0.0.1:9")


@pytest.mark.django_db(transaction=True)
def test_the_address_is_shown_as_the_new_kind_shows_it(receiver: Receiver) -> None:
    made, _ = channel(receiver.address)
    administrator().post(f"{PAGE}{made.pk}/", form(made, kind="ocsf"))
    made.refresh_from_db()
    assert made.shown_address == f"{receiver.address.rsplit('/', 2)[0]}/…"
    tell()
    assert services.deliver_due() == 1
    assert b"class_uid" in receiver.got[0][1]


def shown_secrets(page: str) -> list[str]:
    return re.findall(r"<code>(whsec_[^<]+)</code>", unescape(page))


@pytest.mark.django_db(transaction=True)
def test_a_secret_is_shown_once_and_loading_again_makes_nothing() -> None:
    client = administrator()
    fields = {"kind": "webhook", "name": "Ours", "address": "https://a.example/x", "least_severity": "low", "pace": "at_once"}
    answer = client.post(PAGE, {**fields, "timezone": "UTC"})
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    made = Channel.objects.get()
    secret = str.__str__(services.signing_secret(made))
    assert secret not in str(client.session.items()), "sealed at rest, and nowhere else"
    assert shown_secrets(client.get(PAGE).content.decode()) == [secret]
    again = client.get(PAGE).content.decode()
    assert shown_secrets(again) == []
    assert "There is a channel called" not in again


@pytest.mark.django_db(transaction=True)
def test_two_secrets_before_a_page_are_both_shown_once() -> None:
    client = administrator()
    fields = {"kind": "webhook", "address": "https://a.example/x", "least_severity": "low", "pace": "at_once", "timezone": "UTC"}
    for name in ("First", "Gone", "Second"):
        client.post(PAGE, {**fields, "name": name})
    gone = Channel.objects.get(name="Gone")
    client.post(f"{PAGE}{gone.pk}/delete/")
    second = Channel.objects.get(name="Second")
    client.post(f"{PAGE}{second.pk}/secret/")  # once more, so that it is waiting twice
    page = client.get(PAGE).content.decode()
    assert shown_secrets(page) == [str.__str__(services.signing_secret(one)) for one in Channel.objects.order_by("name")]
    assert "signing secret of “First” now" in page and "signing secret of “Second” now" in page
    assert shown_secrets(client.get(PAGE).content.decode()) == []


@pytest.mark.django_db(transaction=True)
def test_a_channel_that_becomes_a_webhook_shows_its_secret() -> None:
    client = administrator()
    made, _ = channel("tcp://127.0.0.1:9", ChannelKind.SYSLOG)
    page = client.post(f"{PAGE}{made.pk}/", form(made, kind="webhook", address="https://a.example/"), follow=True).content.decode()
    made.refresh_from_db()
    assert shown_secrets(page) == [str.__str__(services.signing_secret(made))]


@pytest.mark.django_db(transaction=True)
def test_a_new_secret_replaces_the_old_one_at_once(receiver: Receiver) -> None:
    client = administrator()
    made, old = channel(receiver.address)
    client.post(f"{PAGE}{made.pk}/deed/", {"deed": "test"})
    asked = client.get(f"{PAGE}{made.pk}/secret/").content.decode()
    assert "The old secret is gone at once." in asked
    assert str.__str__(services.signing_secret(Channel.objects.get())) == old, "asking changes nothing"
    page = client.post(f"{PAGE}{made.pk}/secret/", follow=True).content.decode()
    (new,) = shown_secrets(page)
    assert new != old
    assert str.__str__(services.signing_secret(Channel.objects.get())) == new
    assert AuditEvent.objects.filter(action="notify:channel:secret_replaced", actor="a@demo.example", subject=made.name).count() == 1
    assert badge(client) == "Not tried yet"


@pytest.mark.django_db(transaction=True)
def test_what_is_not_signed_has_no_secret() -> None:
    client = administrator()
    made, _ = channel("tcp://127.0.0.1:9", ChannelKind.SYSLOG)
    assert "Make a new secret" not in client.get(f"{PAGE}{made.pk}/").content.decode()
    page = client.post(f"{PAGE}{made.pk}/secret/", follow=True).content.decode()
    assert "Messages over this channel are not signed." in page
    assert shown_secrets(page) == []


@pytest.mark.django_db
@pytest.mark.parametrize(("begin", "end"), [(clock(22), None), (None, clock(7)), (clock(0), None), (clock(7), clock(7))])
def test_quiet_hours_are_whole_or_not_at_all(begin: clock | None, end: clock | None) -> None:
    with pytest.raises(ConsentryError):
        channel("https://a.example/", quiet_from=begin, quiet_until=end)
    assert not Channel.objects.exists()


@pytest.mark.django_db
def test_quiet_hours_are_seen_in_their_zone() -> None:
    client = administrator()
    channel("https://a.example/", quiet_from=clock(22), quiet_until=clock(0), timezone="Europe/Amsterdam")
    assert "quiet 22:00–00:00 Europe/Amsterdam" in client.get(PAGE).content.decode()
    refused = client.post(PAGE, form(Channel.objects.get(), name="Half", address="https://b.example/", quiet_from="22:00"))
    assert refused.status_code == 422
    assert "Quiet hours need a beginning and an end." in refused.content.decode()


@pytest.mark.django_db(transaction=True)
def test_the_first_retry_does_not_wait_for_the_schedule(receiver: Receiver) -> None:
    channel(receiver.address)
    receiver.status = 503
    tell()
    tell()
    work()
    first = Delivery.objects.earliest("due_at")
    with connection.cursor() as cursor:
        cursor.execute("SELECT scheduled_at FROM procrastinate_jobs WHERE task_name = 'notify.deliver' AND status = 'todo'")
        queued = [at for (at,) in cursor.fetchall()]
    assert queued == [first.due_at], "one job, for the first of the two"
    receiver.status = 200
    deadline = time.monotonic() + 20
    while Delivery.objects.filter(state="pending").exists() and time.monotonic() < deadline:
        time.sleep(0.5)
        work()
    assert {one.state for one in Delivery.objects.all()} == {"delivered"}
    assert len(receiver.got) == 4


@pytest.mark.django_db(transaction=True)
def test_a_later_retry_is_left_to_the_schedule(receiver: Receiver) -> None:
    made, _ = channel(receiver.address)
    receiver.status, receiver.retry_after = 503, "120"
    tell()
    services.deliver_due()
    assert services.next_due(made.pk, within=timedelta(minutes=1)) is None
    assert services.next_due(made.pk, within=timedelta(minutes=5)) == Delivery.objects.get().due_at
    services.switch_channel(made, enabled=False, actor="test")
    assert services.next_due(made.pk, within=timedelta(minutes=5)) is None


def said_of_the_message(client: Client) -> str:
    page = client.get(PAGE).content.decode()
    found = re.search(r'aria-label="Delivery log".*?data-label="State"><div>(.*?)</div></td>', page, re.DOTALL)
    assert found
    return re.sub(r"<[^>]+>", "", found[1])


@pytest.mark.django_db(transaction=True)
def test_the_log_says_when_a_message_is_due(receiver: Receiver) -> None:
    client = administrator()
    made, _ = channel(receiver.address, pace="daily")
    tell()
    due = Delivery.objects.get().due_at
    assert said_of_the_message(client) == f"Waiting, due {due.strftime('%-d %b %Y, %H:%M UTC')}"
    Delivery.objects.update(due_at=now() - timedelta(seconds=54))
    assert said_of_the_message(client) == "Waiting, due now"
    receiver.status = 500
    services.deliver_due()
    assert said_of_the_message(client).startswith("Waiting, next try ")
    Delivery.objects.update(due_at=now() - timedelta(seconds=54))
    assert said_of_the_message(client).startswith("Waiting, due now127.0.0.1 answered with status 500.")
    services.switch_channel(made, enabled=False, actor="test")
    assert said_of_the_message(client).startswith("Waiting until its channel is on")


@contextmanager
def unanswering() -> Iterator[int]:
    """A port that talks no TLS."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            taken, _ = server.accept()
            with taken:
                taken.recv(4096)
                taken.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield server.getsockname()[1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (302, "Redirects are not followed"),
        (400, "The receiver refuses the message"),
        (401, "Check the password or token"),
        (403, "Check the password or token"),
        (404, "Check the path"),
        (410, "The receiver wants no more messages"),
        (429, "The receiver is busy"),
        (500, "The fault is at the receiver"),
        (503, "The fault is at the receiver"),
    ],
)
def test_each_answer_has_its_advice(receiver: Receiver, status: int, advice: str) -> None:
    made, _ = channel(receiver.address)
    receiver.status = status
    page = administrator().post(f"{PAGE}{made.pk}/deed/", {"deed": "test"}, follow=True).content.decode()
    assert f"answered with status {status}. {advice}" in page
    assert "Check the address." not in page


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("kind", "scheme"), [("webhook", "https"), ("syslog", "tls")])
def test_tls_that_fails_is_told_from_a_host_that_is_away(kind: str, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    with unanswering() as port:
        made, _ = channel(f"{scheme}://127.0.0.1:{port}", kind)
        assert tried(made).startswith("A secure connection to 127.0.0.1 can't be made. Check its certificate")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    away, _ = channel(f"{scheme}://127.0.0.1:{port}", kind, name="away")
    assert tried(away).startswith("127.0.0.1 can't be reached (")
    nowhere, _ = channel(f"{scheme}://nowhere.invalid", kind, name="nowhere")
    assert tried(nowhere).startswith("nowhere.invalid can't be found. Check the name")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("webhook", "https://2852039166"),
        ("ocsf", "https://2852039166"),
        ("syslog", "tcp://2852039166"),
        ("syslog", "udp://2852039166"),
        ("chat", "jsons://2852039166/x"),
        ("chat", "mailtos://user:password@a.example?smtp=2852039166"),
        ("chat", "jsons://127.0.0.1:9/, jsons://2852039166/"),
    ],
)
def test_a_name_that_leads_to_a_metadata_service_is_refused(kind: str, address: str) -> None:
    """The number resolves to 169.254.169.254 like a name would; the address was stored before such numbers were refused."""
    made, _ = channel(address.replace("2852039166", "a.example"), kind)
    made.address = secrets.box().encrypt(address, context=f"notify.channel.address:{made.pk}")
    made.save()
    assert tried(made).startswith("2852039166 is a link-local address or a metadata service, to which nothing is sent.")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("more", ["", "?redirect=yes"])
def test_a_chat_follows_no_redirect(receiver: Receiver, more: str) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(307)
            self.send_header("Location", receiver.address)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made, _ = channel(f"json://127.0.0.1:{server.server_address[1]}/{more}", ChannelKind.CHAT)
        assert tried(made).startswith("The service did not take the message.")
        server.shutdown()
    assert receiver.got == []


@pytest.mark.django_db(transaction=True)
def test_channels_from_before_the_last_try_was_kept_say_what_the_log_says(receiver: Receiver) -> None:
    client = administrator()
    made, _ = channel(receiver.address, name="Works")
    failing, _ = channel(receiver.address, name="Failing")
    channel(receiver.address, name="Never tried")
    receiver.status = 500
    for one in (made, failing):
        tried(one)
    receiver.status = 200
    tried(made)
    tell()  # waits, with no try
    before = list(Channel.objects.order_by("name").values_list("name", "tried_at", "last_error"))
    try:
        MigrationExecutor(connection).migrate([("notify", "0001_initial")])
    finally:
        MigrationExecutor(connection).migrate([("notify", "0002_channel_last_try")])
    assert list(Channel.objects.order_by("name").values_list("name", "tried_at", "last_error")) == before
    page = client.get(PAGE).content.decode()
    assert [page.count(f"</svg>{said}</span>") for said in BADGES] == [1, 1, 1, 0]


def tried(made: Channel) -> str:
    return str(services.test_channel(made, actor="test").tries[-1]["error"])


@pytest.mark.django_db
def test_deleting_is_asked_first_and_only_of_who_may() -> None:
    client = administrator()
    made, _ = channel("https://a.example/")
    address = f"{PAGE}{made.pk}/delete/"
    asked = client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "Delete this channel?" in asked and "<html" not in asked
    assert f'href="{PAGE}">Keep it' in client.get(address).content.decode(), "without JavaScript there is a way back"
    client.post(f"{PAGE}{made.pk}/deed/", {"deed": "delete"})
    assert Channel.objects.exists(), "no way around the question"
    answer = client.post(address, headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == PAGE
    assert not Channel.objects.exists()
    assert client.get(address).status_code == 404
