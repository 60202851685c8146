"""Scores of plugins as people of this field would rank them, and what must hold for any facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.risk.catalogue import judge
from consentry.risk.facts import Burst, Drift, Facts, Held, Key
from consentry.risk.roles import gained
from consentry.risk.score import Score, score, without
from consentry.risk.signals import SIGNALS
from consentry.risk.signals.reply_urls import judge as judge_url
from consentry.risk.signals.rogue_app import ROGUE_APPS

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=900)


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def held(value: str, kind: str = "delegated", *, everybody: bool = False, users: int = 1) -> Held:
    return Held(value, "Microsoft Graph", kind, everybody, users, judge(value, kind=kind))


def scored(*permissions: Held, **facts: Any) -> Score:
    usual: dict[str, Any] = {"origin": "third_party", "name": "Acme Notes", "publisher_verified": False, "created_at": LONG_AGO}
    return score(Facts(now=NOW, permissions=permissions, **(usual | facts)))


SIGN_IN = (held("User.Read"), held("openid"), held("profile"), held("email"))
MAIL = (held("Mail.Read"), held("offline_access"))
NEW_KEY = Key("service_principal", "secret", None, days_ago(1), NOW + timedelta(days=700))

INCIDENTS = {
    "mail rule abuse": (scored(*MAIL, held("MailboxSettings.ReadWrite")), "mail_rules"),
    "inbox rules beside the whole tenant": (
        scored(*MAIL, held("MailboxSettings.ReadWrite"), held("RoleManagement.ReadWrite.Directory", kind="application")),
        "permission_reach",
    ),
    "mail rule abuse by the app itself": (
        scored(held("Mail.ReadWrite", "application"), held("MailboxSettings.ReadWrite", "application"), publisher_verified=None),
        "mail_rules",
    ),
    "key on a vendor's dormant powerful app": (
        scored(
            held("Mail.ReadWrite", "application"),
            publisher_verified=True,
            keys=(NEW_KEY,),
            last_used=days_ago(300),
            last_used_state="known",
        ),
        "own_credentials",
    ),
    "key on an own dormant powerful app": (
        scored(
            held("full_access_as_app", "application"),
            origin="own",
            keys=(replace(NEW_KEY, source="application"),),
            last_used=days_ago(300),
            last_used_state="known",
        ),
        "dormant_credential",
    ),
    "key on an own app of which no use is known": (
        scored(held("Directory.ReadWrite.All", "application"), origin="own", keys=(replace(NEW_KEY, source="application"),)),
        "dormant_credential",
    ),
    "key on an own app that slept, once the thief has used it": (
        scored(
            held("Mail.Read", "application"),
            origin="own",
            keys=(Key("application", "secret", None, days_ago(150), NOW + timedelta(days=30)), replace(NEW_KEY, source="application")),
            last_used=days_ago(0),
            last_used_state="known",
            woke_up=(days_ago(300), days_ago(0)),
        ),
        "dormant_credential",
    ),
    "key on an own administrator that slept": (
        scored(
            *SIGN_IN,
            origin="own",
            directory_roles=("Global Administrator",),
            keys=(replace(NEW_KEY, source="application"),),
            last_used=days_ago(300),
            last_used_state="known",
        ),
        "dormant_credential",
    ),
    "key on an app of Microsoft's": (scored(origin="microsoft", keys=(NEW_KEY,)), "own_credentials"),
    "phishing for calendars": (
        scored(
            held("Calendars.Read", users=15),
            held("Contacts.Read", users=15),
            users=15,
            created_at=days_ago(1),
            burst=Burst(15, days_ago(1)),
        ),
        "consent_burst",
    ),
    "consent phishing": (
        scored(
            held("Mail.Read", users=30), held("offline_access", users=30), users=30, created_at=days_ago(2), burst=Burst(30, days_ago(2))
        ),
        "consent_burst",
    ),
    "look-alike name": (scored(*SIGN_IN, name="Micr\u043esoft Outl\u043eok Sync"), "impersonation"),
    "misspelt name": (scored(*MAIL, name="DocuSlgn Viewer"), "impersonation"),
    "claim to be Microsoft's": (scored(*SIGN_IN, name="Microsoft Security Update"), "impersonation"),
    "one letter more": (scored(*SIGN_IN, name="Microsoftt"), "impersonation"),
    "one letter less": (scored(*SIGN_IN, name="Microsof Portal"), "impersonation"),
    "doubled letter of a brand": (scored(*SIGN_IN, name="Dropboxx"), "impersonation"),
    "capital i for l": (scored(*SIGN_IN, name="PayPaI"), "impersonation"),
    "small l for I": (scored(*SIGN_IN, name="OpenAl"), "impersonation"),
    "zero in a longer name": (scored(*SIGN_IN, name="SharePoint0nline"), "impersonation"),
    "name in two parts": (scored(*SIGN_IN, name="Micro soft Login"), "impersonation"),
    "name in single letters": (scored(*SIGN_IN, name="M i c r o s o f t"), "impersonation"),
    "short name of the organisation": (scored(*SIGN_IN, name="\u0410cme Portal", tenant_names=("Acme",)), "impersonation"),
    "short name with rn for m": (scored(*SIGN_IN, name="Acrne", tenant_names=("Acme Inc.",)), "impersonation"),
    "doubled letter of the organisation": (scored(*SIGN_IN, name="Contosoo", tenant_names=("Contoso",)), "impersonation"),
    **{
        f"claim to be {name}": (scored(*SIGN_IN, name=name), "impersonation")
        for name in (
            "Outlook",
            "OneDrive",
            "SharePoint",
            "Teams",
            "Office-365-Security",
            "M365 Security",
            "MicrosoftOffice365",
            "Microsoft Sign-In",
            "Microsoft Authenticator for Outlook",
        )
    },
    "drift of a sanctioned app": (
        scored(*MAIL, publisher_verified=True, users=40, drift=Drift(LONG_AGO, (held("Mail.Read"),))),
        "drift",
    ),
    "role for a sanctioned app": (
        scored(*SIGN_IN, publisher_verified=True, users=40, drift=Drift(LONG_AGO, roles=("Owner on subscription Lab",))),
        "drift",
    ),
    "machines in Azure for a stranger": (
        scored(*SIGN_IN, azure_roles=("Contributor on subscription Production",)),
        "azure_roles",
    ),
    "switched off by Microsoft": (
        scored(*SIGN_IN, disabled_by_microsoft="DisabledDueToViolationOfServicesAgreement"),
        "disabled_by_microsoft",
    ),
    "compromised, says Microsoft": (scored(*SIGN_IN, microsoft_risk=("high", "atRisk")), "risky_by_microsoft"),
    **{
        f"rogue app {name}": (scored(*SIGN_IN, app_id=app_id.upper(), publisher_verified=True), "rogue_app")
        for app_id, name in ROGUE_APPS.items()
    },
}
SAML = NOW + timedelta(days=500)
BENIGN = {
    "own app with User.Read": scored(*SIGN_IN, origin="own", owners=0, keys=(Key("application", "secret", None, days_ago(3), SAML),)),
    "a verified vendor's first day": scored(
        held("Calendars.Read", users=20), users=20, publisher_verified=True, created_at=days_ago(1), burst=Burst(20, days_ago(1))
    ),
    "own app whose key was renewed": scored(
        held("Mail.Read", users=3),
        origin="own",
        keys=(Key("application", "secret", None, days_ago(200), days_ago(20)), replace(NEW_KEY, source="application")),
    ),
    "own app that deploys": scored(*SIGN_IN, origin="own", azure_roles=("Contributor on subscription Production",)),
    "vendor that reads one resource group": scored(
        *SIGN_IN, publisher_verified=True, azure_roles=("Reader on resource group web in Production",)
    ),
    "Microsoft's own app": scored(
        held("Directory.AccessAsUser.All", everybody=True), held("RoleManagement.ReadWrite.Directory", "application"), origin="microsoft"
    ),
    "single sign-on gallery app": scored(
        held("User.Read", everybody=True),
        all_users=True,
        created_at=days_ago(3),
        single_sign_on="saml",
        assignment_required=False,
        reply_urls=("https://*.acme.com/saml", "http://acme.com/acs"),
        burst=Burst(200, days_ago(2)),
        keys=(
            Key("service_principal", "certificate", "Sign", LONG_AGO, SAML),
            Key("service_principal", "certificate", "Verify", LONG_AGO, SAML),
            Key("service_principal", "secret", None, LONG_AGO, SAML),
        ),
    ),
    "verified app with calendars": scored(
        held("Calendars.Read", users=300), publisher_verified=True, users=300, name="Meetings for Microsoft Teams"
    ),
    "managed identity": scored(origin="managed_identity", keys=(Key("service_principal", "certificate", "Verify", days_ago(9), SAML),)),
    "app without permissions": scored(),
    "vendor on a cloud platform": scored(
        *MAIL[1:],
        held("Calendars.Read"),
        publisher_verified=True,
        reply_urls=("https://acme.azurestaticapps.net/cb", "https://acme.online/cb"),
    ),
    "generic word of the tenant, near": scored(*SIGN_IN, name="Sistems", tenant_names=("Contoso Systems",)),
    "generic word of the tenant, nearer": scored(*SIGN_IN, name="Graders", tenant_names=("Northwind Traders",)),
    "add-in that names the tenant": scored(*SIGN_IN, name="Outlook add-in for Acme", tenant_names=("Acme",)),
    "verified app of Microsoft's": scored(
        *SIGN_IN, name="Microsoft Security Update", publisher_verified=True, publisher="Microsoft Corporation"
    ),
    **{
        f"{origin} app called Outlook": scored(*SIGN_IN, name="Outlook", origin=origin)
        for origin in ("microsoft", "own", "managed_identity", "unknown")
    },
}


@pytest.mark.parametrize("case", INCIDENTS)
def test_incidents_are_high_with_the_right_reason_first(case: str) -> None:
    result, first = INCIDENTS[case]
    assert result.level in {"high", "critical"}, result
    assert result.reasons[0].signal == first
    assert result.reasons[0].evidence
    assert result.reasons[0].remedy


@pytest.mark.parametrize("case", BENIGN)
def test_benign_patterns_are_low(case: str) -> None:
    assert BENIGN[case].level in {"none", "low"}, BENIGN[case]


@pytest.mark.parametrize(
    "name",
    [
        "Acme for Microsoft Teams", "MicroStrategy", "Exchanger", "Team Planner", "Docusign", "Adobé Studio".replace("é", "e"), "Slacker",
        "Zoom for Outlook", "Salesforce for Teams", "Backup for Microsoft 365", "DocuSign for SharePoint", "OpenAL", "Team5", "ChatGPT4",
        "M365 Manager Plus", "Microsoft Teams for Jira", "Sales Force Automation", "System Client", "Teams Notifications",
    ],
)  # fmt: skip
def test_honest_names_are_left_alone(name: str) -> None:
    assert not [reason for reason in scored(*SIGN_IN, name=name).reasons if reason.signal in {"impersonation", "name_pattern"}]


@pytest.mark.parametrize("name", ["Calendy", "Everynote", "Workaday"])
def test_a_letter_beside_an_everyday_word_is_medium(name: str) -> None:
    result = scored(*SIGN_IN, name=name)
    assert result.level == "medium" and "impersonation" in {reason.signal for reason in result.reasons}


def test_a_verified_publisher_that_claims_to_be_microsoft_is_medium() -> None:
    result = scored(*SIGN_IN, name="Microsoft Security Update", publisher_verified=True, publisher="Acme")
    assert result.level == "medium" and "impersonation" in {reason.signal for reason in result.reasons}


@pytest.mark.parametrize(("name", "tenant"), [("Zoho Software", "Fabrikam Software"), ("Mail Sync", "Mall"), ("Clean Desk", "Dean")])
def test_words_that_others_use_too_are_not_the_organisations(name: str, tenant: str) -> None:
    assert "impersonation" not in {reason.signal for reason in scored(*SIGN_IN, name=name, tenant_names=(tenant,)).reasons}


def test_the_organisations_name_at_the_beginning_of_a_word_is_found() -> None:
    assert "impersonation" in {reason.signal for reason in scored(*SIGN_IN, name="ContosoHR", tenant_names=("Contoso",)).reasons}


@pytest.mark.parametrize(
    ("url", "least", "most"),
    [
        ("https://login.micros0ft.com/cb", 4, 5),
        ("https://microsoftonline.com.evil.example/cb", 4, 5),
        ("https://xn--mcrosoft-c2a.com/cb", 4, 5),
        ("https://login.m\u0456crosoft.com/cb", 4, 5),
        ("https://*.micros0ft.com/cb", 4, 5),
        ("https://\u0430\u0440\u0440\u04cf\u0435.com/cb", 3, 3),
        ("https://login.microsoftonline.com@evil.example/cb", 4, 4),
        ("javascript:alert(1)", 4, 4),
        ("data:text/html,x", 4, 4),
        ("https://x.github.io./cb", 3, 3),
        ("https://m\u00fcller.github.io/cb", 3, 3),
        ("https://x.ngrok.dev", 3, 3),
        ("https://sites.google.com/x", 3, 3),
        ("https://[2001:db8::1]/cb", 2.5, 2.5),
        ("https://3232235777/cb", 2.5, 2.5),
        ("https://acme.com/*", 1, 2),
        ("https://x.z6.web.core.windows.net", 1, 2),
        ("https://b.s3.eu-west-1.amazonaws.com", 1, 2),
        ("https://acme.cyou", 1, 2),
        ("https://m\u00fcller.de/cb", 1, 1),
        ("https://login.microsoftonline.com/common/oauth2/nativeclient", 0, 0),
        ("https://windows.cloud.microsoft/cb", 0, 0),
        ("https://team5.acme.com/cb", 0, 0),
        ("http://127.0.0.1:8400", 0, 0),
        ("http://[::1]:8400", 0, 0),
        ("msauth://com.acme.web.app/cb", 0, 0),
        ("urn:ietf:wg:oauth:2.0:oob", 0, 0),
    ],
)
def test_reply_addresses_are_judged_by_how_they_are_written(url: str, least: float, most: float) -> None:
    assert least <= judge_url(url)[0] <= most


@pytest.mark.parametrize("url", ["https://login.micros0ft.com", "javascript:alert(1)", "https://x.fly.dev", "https://x.netlify.app"])
def test_a_reply_address_alone_never_makes_it_high(url: str) -> None:
    assert scored(held("Calendars.Read"), publisher_verified=True, reply_urls=(url,)).level in {"low", "medium"}


def test_an_own_apps_address_that_others_could_take_is_noted_without_points() -> None:
    result = scored(*SIGN_IN, origin="own", reply_urls=("https://payroll.azurewebsites.net/cb",))
    assert "reply_urls" in {note.signal for note in result.notes}
    assert result.score == scored(*SIGN_IN, origin="own").score


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("eM Client", True), ("PERFECTDATA SOFTWARE", True), ("Ac\u00adme", True), ("Ac\u2060me", True), ("Ac\u180eme", True),
        ("ada@northfold", True), ("acme.com", True), ("test", True), ("Demo App 2", True), ("Test Manager", False), ("Node", False),
    ],
)  # fmt: skip
def test_names_that_campaigns_use_are_found(name: str, there: bool) -> None:
    result = scored(*SIGN_IN, name=name)
    assert ("name_pattern" in {reason.signal for reason in result.reasons}) is there
    assert result.level == "low"


@pytest.mark.parametrize("name", ["N\u043erthfold Portal", "Nortfold HR", "Northfo1d Login"])
def test_look_alikes_of_the_own_organisation_are_found(name: str) -> None:
    assert scored(*SIGN_IN, name=name, tenant_names=("Northfold",)).reasons[0].signal == "impersonation"


def test_weak_signals_alone_never_make_it_high() -> None:
    many = scored(
        *SIGN_IN,
        guests=9,
        assignment_required=False,
        reply_urls=("http://a.example", "https://x.surge.sh"),
        users=3,
        created_at=days_ago(1),
    )
    assert many.level == "low"


def test_what_is_not_known_is_said_and_counts_neither_way() -> None:
    mail = held("Mail.Read", "application")
    unknown, used = scored(mail, last_used_state="unknown"), scored(mail, last_used=NOW, last_used_state="known")
    assert unknown.score == used.score
    assert any("last used" in words for words in unknown.unknown)


def test_what_if_shows_what_a_permission_costs() -> None:
    facts = Facts(now=NOW, origin="third_party", name="Acme", permissions=(held("Mail.ReadWrite", "application"), held("User.Read")))
    assert without(facts, facts.permissions[0]).score < 1.5 < score(facts).score


def test_an_account_can_weigh_signals_itself() -> None:
    facts = Facts(now=NOW, origin="third_party", name="A", app_id=next(iter(ROGUE_APPS)))
    assert score(facts, {"rogue_app": 0.0}).score == 0
    assert score(facts, {"rogue_app": 0.5}).score == 4.5


def test_every_signal_explains_itself() -> None:
    assert len({signal.key for signal in SIGNALS}) == len(SIGNALS)
    for signal in SIGNALS:
        assert signal.title and signal.why and signal.remedy
        assert all(link.startswith("https://") for link in signal.links)


VALUES = (
    "User.Read", "offline_access", "Mail.Read", "Mail.ReadWrite", "Mail.Send", "MailboxSettings.ReadWrite", "Files.ReadWrite.All", "Calendars.Read",
    "EWS.AccessAsUser.All", "full_access_as_app", "Directory.ReadWrite.All", "RoleManagement.ReadWrite.Directory", "Invented.By.Tomorrow",
)  # fmt: skip
moments = st.one_of(st.none(), st.integers(-400, 4000).map(days_ago))
permissions = st.builds(
    lambda value, kind, everybody, users: held(value, kind, everybody=everybody, users=users),
    st.sampled_from(VALUES), st.sampled_from(["delegated", "application"]), st.booleans(), st.integers(1, 5000),
)  # fmt: skip
keys = st.builds(Key, st.sampled_from(["service_principal", "application"]), st.sampled_from(["secret", "certificate", "federated"]), st.sampled_from([None, "Sign", "Verify"]), moments, moments, moments)  # fmt: skip
anything = st.builds(
    Facts,
    now=st.just(NOW),
    name=st.text(max_size=30),
    app_id=st.sampled_from(["", *ROGUE_APPS]),
    origin=st.sampled_from(["third_party", "own", "microsoft", "managed_identity", "agent_identity", "unknown"]),
    publisher_verified=st.sampled_from([True, False, None]),
    permissions=st.lists(permissions, max_size=6).map(tuple),
    users=st.integers(0, 5000),
    all_users=st.booleans(),
    keys=st.lists(keys, max_size=4).map(tuple),
    reply_urls=st.lists(st.one_of(st.text(max_size=30), st.sampled_from(["https://a.surge.sh", "http://localhost:1/access", "https://*.b.c"])), max_size=3).map(tuple),
    created_at=moments,
    consented_at=moments,
    last_used=moments,
    last_used_state=st.sampled_from(["known", "never", "unknown", "unlicensed"]),
    woke_up=st.sampled_from([None, (days_ago(300), days_ago(1))]),
    disabled_by_microsoft=st.sampled_from([None, "NotDisabled", "Disabled"]),
    microsoft_risk=st.sampled_from([None, ("high", "atRisk"), ("low", "dismissed")]),
    owners=st.sampled_from([None, 0, 2]),
    guests=st.integers(0, 3),
    directory_roles=st.sampled_from([None, (), ("Global Administrator",)]),
    azure_roles=st.sampled_from([None, (), ("Reader on resource group web in Lab",), ("Owner on management group Contoso",)]),
    assignment_required=st.sampled_from([None, True, False]),
    burst=st.one_of(st.none(), st.builds(Burst, st.integers(2, 99), st.just(days_ago(3)))),
    drift=st.sampled_from([None, Drift(days_ago(9), (held("Mail.Read"),)), Drift(days_ago(9), keys=1, verification_lost=True)]),
    refused_today=st.sampled_from([(), ("Mail.Read",)]),
)  # fmt: skip


def test_a_role_whose_place_is_renamed_is_not_new_and_a_weak_one_is_no_alarm() -> None:
    before = ["Owner on subscription Production", "User Administrator"]
    assert gained(before, ["Owner on subscription Production EU", "User Administrator"]) == ()
    assert gained(before, [*before, "Owner on subscription Lab"]) == ("Owner on subscription Lab",)
    assert gained(before, [*before, "Directory Readers"]) == ("Directory Readers",)
    weak = scored(*SIGN_IN, publisher_verified=True, drift=Drift(LONG_AGO, roles=("Reader on resource group Lab", "Directory Readers")))
    assert weak.level == "low"
    many = scored(*SIGN_IN, drift=Drift(LONG_AGO, roles=tuple(f"Reader on resource group {n} in Lab" for n in range(9))))
    assert "and 5 more" in next(reason.evidence for reason in many.reasons if reason.signal == "drift")


@given(anything)
def test_points_add_up_and_the_same_facts_give_the_same_score(facts: Facts) -> None:
    result = score(facts)
    assert score(replace(facts)) == result
    assert 0 <= result.score <= 10
    assert round(sum(reason.points for reason in result.reasons), 1) == result.score
    assert all(reason.points > 0 for reason in result.reasons)


@given(anything, permissions)
def test_a_further_permission_never_lowers_the_score(facts: Facts, more: Held) -> None:
    before, after = score(facts), score(replace(facts, permissions=(*facts.permissions, more)))
    assert after.score >= before.score
    assert after.takeover >= before.takeover and after.data >= before.data


def test_a_key_made_after_an_app_woke_up_is_not_one_of_its_sleep() -> None:
    old = Key("application", "secret", None, days_ago(400), NOW + timedelta(days=30))
    renewed = scored(
        held("Mail.Read", "application"),
        origin="own",
        keys=(replace(NEW_KEY, source="application"), old),
        last_used=days_ago(0),
        last_used_state="known",
        woke_up=(days_ago(300), days_ago(25)),
    )
    assert "dormant_credential" not in {reason.signal for reason in renewed.reasons}
