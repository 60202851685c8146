"""Every step of the product's story in a real browser, by label."""

from __future__ import annotations

import json
import re
import time

from playwright.sync_api import BrowserContext, Page, Route, expect
from tests.e2e.conftest import Demo


def sign_in(page: Page, demo: Demo) -> None:
    page.goto(demo.address)
    page.get_by_label("E-mail").fill(demo.user)
    page.get_by_label("Password", exact=True).fill(demo.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


def sign_in_at_microsoft(tab: Page, demo: Demo) -> None:
    expect(tab.get_by_role("heading", name=re.compile("Pick an account|Permissions requested"))).to_be_visible(timeout=15_000)
    if tab.get_by_role("heading", name="Pick an account").is_visible():
        tab.get_by_role("button", name=re.compile(re.escape(demo.microsoft_user))).click()
        tab.get_by_label("Password").fill(demo.microsoft_password)
        tab.get_by_role("button", name="Sign in").click()


def test_from_sign_in_to_plugins_on_the_page(demo: Demo, window: BrowserContext) -> None:
    page = window.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    sign_in(page, demo)

    # Step 1: the parent connector
    page.get_by_role("link", name="Integrations", exact=True).first.click()
    expect(page.get_by_role("tab", name="Integrated Apps")).to_have_attribute("aria-selected", "true")
    page.get_by_role("button", name="New", exact=True).click()
    expect(page.get_by_role("heading", name="New Connector")).to_be_visible()
    page.get_by_text("Configure a new MS Tenant").click()
    page.get_by_label("Connector Name").fill("Main tenant")
    with window.expect_page() as opened:
        page.get_by_role("button", name="Authorize and Save").click()
    microsoft = opened.value
    sign_in_at_microsoft(microsoft, demo)
    expect(microsoft.get_by_role("heading", name="Permissions requested")).to_be_visible()
    expect(microsoft.get_by_text("Read organization information", exact=True)).to_be_visible()
    microsoft.get_by_role("button", name="Accept").click()
    expect(microsoft.get_by_text("The permissions were successfully applied. You can close this tab.")).to_be_visible(timeout=60_000)
    microsoft.close()
    row = page.get_by_role("row", name=re.compile("Main tenant"))
    expect(row.get_by_text("Connected", exact=True)).to_be_visible(timeout=30_000)

    # Step 2: the API connector
    page.get_by_role("tab", name="Configured Integrations").click()
    page.get_by_role("button", name="New", exact=True).click()
    expect(page.get_by_role("heading", name="New Integration")).to_be_visible()
    page.get_by_label("SaaS application").select_option("Microsoft 365")
    page.get_by_text("3rd Party Apps", exact=True).click()
    page.get_by_label("Microsoft Primary Tenant").select_option(index=1)
    page.get_by_label("Description").fill("All third-party apps")
    page.get_by_role("button", name="Save", exact=True).click()
    with window.expect_page() as opened:
        page.get_by_role("button", name="Authorize", exact=True).first.click()
    microsoft = opened.value
    sign_in_at_microsoft(microsoft, demo)
    expect(microsoft.get_by_text("Read directory data", exact=True)).to_be_visible()
    microsoft.get_by_role("button", name="Accept").click()
    result = window.new_page()  # opened too early: it goes on by itself
    result.goto(f"{demo.address}/plugins/")
    expect(microsoft.get_by_text("The permissions were successfully applied. You can close this tab.")).to_be_visible(timeout=60_000)
    microsoft.close()
    page.get_by_role("tab", name="Integrated Apps").click()
    child = page.get_by_role("row", name=re.compile("3rd Party Apps"))
    expect(child.get_by_text("Connected", exact=True)).to_be_visible(timeout=30_000)

    # The result
    expect(result.get_by_role("link", name="PERFECTDATA SOFTWARE")).to_be_visible(timeout=90_000)
    page.goto(f"{demo.address}/plugins/")
    table = page.get_by_role("table", name="Plugins")
    expect(table.get_by_role("link", name="PERFECTDATA SOFTWARE")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text=re.compile(r"of \d+ plugins"))).to_be_visible()
    assert not problems, problems


def test_an_analyst_finds_decides_and_copies(demo: Demo, window: BrowserContext) -> None:
    page = window.new_page()
    sign_in(page, demo)
    page.goto(f"{demo.address}/plugins/?risk=high,critical")
    page.get_by_label("Search plugins").fill("PERFECT")
    page.get_by_role("button", name="Search").click()
    assert "q=PERFECT" in page.url and "risk=high" in page.url
    page.get_by_role("link", name="PERFECTDATA SOFTWARE").click()
    expect(page.get_by_role("link", name="A known rogue app is in the tenant")).to_be_visible()
    expect(page.get_by_role("heading", name="Who uses it")).to_be_visible()
    page.get_by_label("Mark as").select_option("unsanctioned")
    page.get_by_label("Note").fill("Copies mailboxes")
    page.get_by_role("button", name="Save decision").click()
    expect(page.get_by_role("heading", name="Decision: Unsanctioned")).to_be_visible()
    page.goto(f"{demo.address}/plugins/?decision=unsanctioned")
    expect(page.get_by_role("link", name="PERFECTDATA SOFTWARE")).to_be_visible()
    answer = window.request.get(f"{demo.address}/plugins/export.json?decision=unsanctioned")
    exported = json.loads(answer.text())
    assert [row["name"] for row in exported] == ["PERFECTDATA SOFTWARE"]
    assert exported[0]["decision"]["note"] == "Copies mailboxes"


def test_what_would_lower_a_plugin_is_ticked_and_people_are_paged_in_place(demo: Demo, window: BrowserContext) -> None:
    page = window.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    sign_in(page, demo)
    page.goto(f"{demo.address}/plugins/?risk=high,critical&sort=-users")
    page.get_by_role("table", name="Plugins").get_by_role("rowgroup").last.get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="What it may do")).to_be_visible()
    address = page.url
    answer = page.get_by_role("status").filter(has_text="Nothing was changed")
    tick = page.get_by_role("link", name=re.compile("^Tick (it|these)"))
    tick.focus()
    page.keyboard.press("Enter")
    expect(answer).to_be_in_viewport()
    expect(tick).to_be_focused()
    ticked = page.get_by_role("checkbox", checked=True)
    number = ticked.count()
    assert number > 0
    ticked.last.uncheck()
    expect(answer if number > 1 else page.locator("#what-if:empty")).to_have_count(1)
    people = page.get_by_role("table", name="People").get_by_role("row")
    expect(people).to_have_count(21)
    page.get_by_role("link", name="Next", exact=True).click()
    expect(page.get_by_text("21 to 40 of")).to_be_visible()
    page.get_by_role("link", name=re.compile("^Show all")).click()
    page.get_by_role("link", name="Show fewer").click()
    expect(people).to_have_count(21)
    expect(ticked).to_have_count(number - 1)  # the rest of the page stays as it is
    assert page.url == address
    assert not problems, problems


def test_a_refusal_is_explained(demo: Demo, window: BrowserContext) -> None:
    page = window.new_page()
    sign_in(page, demo)
    page.goto(f"{demo.address}/integrations/")
    page.get_by_role("button", name="New", exact=True).click()
    page.get_by_text("Configure a new MS Tenant").click()
    page.get_by_label("Connector Name").fill("Refused")
    with window.expect_page() as opened:
        page.get_by_role("button", name="Authorize and Save").click()
    microsoft = opened.value
    sign_in_at_microsoft(microsoft, demo)
    with microsoft.expect_request("**/connect/microsoft/return*") as returned:
        microsoft.get_by_role("button", name="Cancel").click()
    expect(microsoft.get_by_role("heading", name="The permissions were not applied")).to_be_visible()
    expect(microsoft.get_by_text("AADSTS65004")).to_be_visible()
    microsoft.reload()
    expect(microsoft.get_by_role("heading", name="The permissions were not applied")).to_be_visible()
    microsoft.goto(returned.value.url)
    expect(microsoft.get_by_role("heading", name="This answer can't be used")).to_be_visible()


def test_hostile_names_do_not_run(demo: Demo, window: BrowserContext) -> None:
    page = window.new_page()
    sign_in(page, demo)
    page.goto(f"{demo.address}/plugins/?q=%3Cscript%3E")
    expect(page.get_by_role("link", name=re.compile("<script>alert"))).to_be_visible()
    page.goto(f"{demo.address}/plugins/?q=Invoice")
    expect(page.get_by_text("[U+202E]").first).to_be_visible()


def test_an_analyst_is_warned_asks_what_if_and_builds_a_policy(demo: Demo, window: BrowserContext) -> None:
    page = window.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    sign_in(page, demo)

    page.goto(f"{demo.address}/alerts/")
    page.get_by_role("link", name="A known rogue app is in the tenant").click()
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_label("Comment", exact=True).fill("Asked the person")
    page.get_by_role("button", name="Add comment").click()
    expect(page.get_by_text("Asked the person")).to_be_visible()
    page.get_by_role("link", name="PERFECTDATA SOFTWARE").click()
    page.get_by_label(re.compile("What if it were removed")).first.check()
    expect(page.get_by_text("Without this permission:")).to_be_in_viewport()

    page.goto(f"{demo.address}/policies/new/")
    asked = page.get_by_label("What to look at")
    asked.focus()
    for _ in range(10):  # "Risk is" and nine on, faster than the answers come
        page.keyboard.press("ArrowDown")
    expect(page.get_by_role("textbox", name="Name contains")).to_be_visible()
    expect(asked).to_have_value("name")
    expect(asked).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("PERFECTDATA")
    page.get_by_role("button", name="Add a condition").click()  # the first click counts, though the value was only just left
    expect(asked).to_have_count(2)
    expect(asked.nth(1)).to_be_focused()
    expect(page.get_by_role("textbox", name="Name contains")).to_have_value("PERFECTDATA")
    expect(page.get_by_text("1 plugin", exact=True)).to_be_visible()
    asked.nth(1).select_option("Has the signal")
    expect(page.get_by_role("status").filter(has_text="Choose a value for “Has the signal”")).to_be_visible()
    page.get_by_label("Filter the list: Has the signal").fill("rogue")
    expect(page.get_by_text(re.compile(r"^1 of \d+ shown$"))).to_be_visible()
    page.get_by_label("Filter the list: Has the signal").press("Enter")
    page.get_by_label("A known rogue app").check()
    expect(page.get_by_text("1 plugin", exact=True)).to_be_visible()
    page.get_by_label("State", exact=True).select_option("Active")
    expect(page.get_by_role("status").filter(has_text="Saving opens 1 alert now")).to_be_visible()
    page.get_by_role("button", name="Remove condition 2").click()
    expect(asked).to_have_count(1)
    expect(asked).to_be_focused()
    page.get_by_label("State", exact=True).select_option("Audit only")
    page.get_by_label("Name", exact=True).fill("Mail copiers")
    page.get_by_label("Name", exact=True).press("Enter")
    expect(page.get_by_role("link", name="Mail copiers")).to_be_visible()
    expect(page.get_by_text("“Mail copiers” was saved. Its alerts appear in a moment.")).to_be_visible()
    counted = page.get_by_role("row", name=re.compile("Mail copiers")).get_by_text("1 in audit mode")
    deadline = time.monotonic() + 30
    while not counted.is_visible() and time.monotonic() < deadline:
        page.reload()
        page.wait_for_timeout(300)
    expect(counted).to_be_visible()

    page.goto(f"{demo.address}/administration/notifications/")
    page.get_by_label("Name").fill("Operations")
    page.get_by_label("Address").fill("http://127.0.0.1:9/hook")
    page.get_by_role("button", name="Add channel").click()
    expect(page.get_by_text("Copy the signing secret")).to_be_visible()
    page.get_by_role("button", name="Test Operations").click()
    expect(page.get_by_text("127.0.0.1 can't be reached").first).to_be_visible()
    page.reload()
    expect(page.get_by_text("Copy the signing secret")).to_have_count(0)
    page.get_by_role("button", name="Actions for Operations").click()
    page.get_by_role("button", name="Delete Operations").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Its delivery log is deleted for ever")).to_be_visible()
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("Nobody is told yet")).to_be_visible()

    page.goto(f"{demo.address}/administration/risk/")
    page.get_by_label("Weight of: A known rogue app").fill("0")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("1 plugin would have another score")).to_be_visible()
    assert not problems, problems


def test_while_a_trial_runs_only_the_newest_waits_and_no_condition_is_lost(demo: Demo, window: BrowserContext) -> None:
    page = window.new_page()
    sign_in(page, demo)
    page.goto(f"{demo.address}/policies/new/")
    held: list[Route] = []
    page.route("**/policies/tried/", lambda route: held.append(route))
    page.get_by_label("Severity").select_option("Low")
    for state in ("Off", "Active", "Off", "Active", "Off"):
        page.get_by_label("State", exact=True).select_option(state)
    asked = page.get_by_label("What to look at")
    for place in range(1, 4):
        page.get_by_role("button", name="Add a condition").click()
        expect(asked).to_have_count(place + 1)  # while the first trial is still held back
    page.get_by_role("button", name="or", exact=True).first.click()
    expect(asked).to_have_count(5)
    page.get_by_role("button", name="Remove condition 3").click()
    expect(asked).to_have_count(4)
    assert len(held) == 1, "one trial at a time"
    held[0].continue_()
    while len(held) < 2:
        page.wait_for_timeout(50)
    assert (held[1].request.post_data or "").count(".field=") == 4, "the newest is asked with what the page holds by then"
    held[1].continue_()
    expect(page.get_by_text("Switched off: nothing is looked for, and nobody is told.")).to_be_visible()
    page.wait_for_timeout(300)
    assert len(held) == 2
