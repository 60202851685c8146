"""Policies: what is looked out for, and the builder for an account's own."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from consentry.accounts.models import Account
from consentry.connect.models import Connector
from consentry.core.errors import ConsentryError
from consentry.inventory.models import DecisionState, LastUsedState, Origin, RiskLevel
from consentry.notify import services as notify
from consentry.policy import conditions, queries, services
from consentry.policy.definitions import definition
from consentry.policy.models import LIVE, Alert, Policy, PolicyState
from consentry.policy.predefined import BY_KEY
from consentry.risk.signals import SIGNALS
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.plugin_rows import plugin_row
from consentry.web.plugins import SERVICES

_FIRST: dict[str, Any] = {"field": "risk", "value": ["high", "critical"]}
_SEVERITIES = [(value, str(label)) for value, label in reversed(RiskLevel.choices) if value != "none"]
_FEW = 8  # choices that are shown side by side; more are a list with a filter
_MANY = 10  # alerts that a save opens without asking first
_SOON = " Its alerts appear in a moment."


def choices(account: Account) -> dict[str, dict[str, str]]:
    """The values to choose from, by field."""
    levels = {value: str(label) for value, label in reversed(RiskLevel.choices)}
    signals = {signal.key: signal.title for signal in SIGNALS}
    return {
        "risk": levels,
        "permission_level": levels,
        "connected_to": {name: name for name in SERVICES},
        "origin": {value: str(label) for value, label in Origin.choices},
        "use": {value: str(label) for value, label in LastUsedState.choices},
        "connector": {name: name for name in Connector.objects.filter(account=account).order_by("name").values_list("name", flat=True)},
        "decision": {value: str(label) for value, label in DecisionState.choices},
        "signal": signals,
        "grave_signal": signals,
        "change": conditions.CHANGES,
    }


@require_role("viewer")
def policies(request: ConsoleRequest) -> HttpResponse:
    """The list, each with its state."""
    context = {
        "rows": queries.policy_rows(request.user.account),
        "may_switch": request.user.may("administrator"),
        "states": PolicyState.choices,
    }
    return render(request, "policy/policies.html", context)


@require_POST
@require_role("administrator")
def switch(request: ConsoleRequest, key: str) -> HttpResponse:
    """Make a policy active, put it into audit mode, or switch it off; a predefined one's page also says how it alerts.

    What opens many alerts is asked first.
    """
    account, actor = request.user.account, request.user.email
    found, deed, adjusted = _find(request, key), request.POST.get("deed", ""), "cooldown_hours" in request.POST
    told = definition(found)
    given: dict[str, Any] = {
        "state": request.POST.get("state", ""),
        "severity": request.POST.get("severity", "") if adjusted else told.severity,
        "cooldown_hours": _hours(request.POST) if adjusted else found.cooldown_hours,
    }
    if deed == "edit":
        return _predefined(request, found, given) if adjusted and key in BY_KEY else redirect("policies")
    asleep = found.state != PolicyState.ACTIVE
    known = given["severity"] in dict(_SEVERITIES)  # what is unknown is refused below
    if asleep and given["state"] == PolicyState.ACTIVE and known and not told.of_change and deed != "save-surely":
        opened = _would_open(account, given, found, queries.trial(account, told.rule))
        if opened > _MANY:
            return _ask_many(request, given, opened, "Back to the policy" if adjusted else "Back to the policies")
    try:
        if adjusted:
            policy = services.adjust(account, key, **given, actor=actor)
        else:
            policy = services.set_state(account, key, given["state"], actor=actor)
    except ConsentryError as error:
        messages.error(request, f"{error.what} {error.remedy}")
        return redirect("policies")
    soon = _SOON if asleep and services.matches_now(policy) else ""
    if not adjusted:
        messages.success(request, f"“{told.title}” is {policy.get_state_display().lower()} now.{soon}")
        return redirect("policies")
    severity = definition(policy).severity
    messages.success(request, f"“{told.title}” was saved. What is open keeps its severity; new alerts are {severity}.{soon}")
    return redirect("policy", key=key)


@require_role("viewer")
def policy(request: ConsoleRequest, key: str) -> HttpResponse:
    """One policy in words, with what it would have done; the account's own with its builder."""
    found = _find(request, key)
    told = definition(found)
    if found.key not in BY_KEY and request.user.may("administrator"):
        draft = {
            "title": found.title,
            "why": found.why,
            "severity": found.severity,
            "state": found.state,
            "cooldown_hours": found.cooldown_hours,
            "rule": [list(group) for group in told.rule],
        }
        return _builder(request, draft, found)
    return _predefined(request, found, {"severity": told.severity, "state": found.state, "cooldown_hours": found.cooldown_hours})


def _predefined(request: ConsoleRequest, found: Policy, given: dict[str, Any]) -> HttpResponse:
    told = definition(found)
    context = {
        "policy": found,
        "told": told,
        "given": given,
        "default": BY_KEY[found.key].severity if found.key in BY_KEY else "",
        "severities": _SEVERITIES,
        "states": PolicyState.choices,
        "lines": conditions.words(told.rule, choices(request.user.account)),
        "trial": _trial(request, told.rule),
        "may_copy": request.user.may("administrator"),
    }
    return render(request, "policy/policy.html", context)


@require_role("administrator")
def new(request: ConsoleRequest) -> HttpResponse:
    """The builder, empty or with a copy of another policy."""
    copied = request.GET.get("copy", "")
    draft: dict[str, Any] = {"title": "", "why": "", "severity": "high", "state": "audit", "cooldown_hours": 0, "rule": [[dict(_FIRST)]]}
    if copied:
        told = definition(_find(request, copied))
        draft |= {"title": f"{told.title} (copy)", "why": told.why, "severity": told.severity, "rule": [list(group) for group in told.rule]}
    return _builder(request, draft, None)


@require_POST
@require_role("administrator")
def draft(request: ConsoleRequest) -> HttpResponse:
    """The builder's conditions again, after one was added or removed or asks for something else. The page then asks for a new trial."""
    rule, focus = read(request.POST)["rule"], ""
    deed, _, place = request.POST.get("deed", "").partition(":")
    group, _, number = place.partition(".")
    if deed == "group" and len(rule) < conditions.MOST_GROUPS:
        rule.append([dict(_FIRST)])
        focus = f"{len(rule) - 1}.0"
    elif deed == "or" and group.isdigit() and int(group) < len(rule) and len(rule[int(group)]) < conditions.MOST_CONDITIONS:
        rule[int(group)].append(dict(_FIRST))
        focus = f"{int(group)}.{len(rule[int(group)]) - 1}"
    elif deed == "drop" and group.isdigit() and number.isdigit() and int(group) < len(rule) and int(number) < len(rule[int(group)]):
        focus = _drop(rule, int(group), int(number))
    answer = render(request, "policy/conditions.html", {**_conditions(request, rule), "focus": focus})
    answer["HX-Trigger-After-Settle"] = "rule-changed"
    return answer


@require_POST
@require_role("administrator")
def tried(request: ConsoleRequest) -> HttpResponse:
    """What the builder's conditions match now, and what a save would do."""
    key = request.POST.get("policy", "")
    found = _find(request, key) if key else None
    return render(request, "policy/tried.html", _tried(request, read(request.POST), found))


def _drop(rule: list[list[dict[str, Any]]], group: int, number: int) -> str:
    """Remove a condition. Returns the place of the one that comes next to it, or ``none``."""
    rule[group].pop(number)
    if rule[group]:
        return f"{group}.{min(number, len(rule[group]) - 1)}"
    rule.pop(group)
    return f"{min(group, len(rule) - 1)}.0" if rule else "none"


@require_POST
@require_role("administrator")
def save(request: ConsoleRequest, key: str = "") -> HttpResponse:
    """Keep or delete one of the account's own policies; what opens many alerts or deletes any is asked first."""
    found = _find(request, key) if key else None
    if found and found.key in BY_KEY:
        raise Http404
    deed = request.POST.get("deed", "")
    if found and deed == "delete":
        return _ask(request, f"Delete “{found.title}”?", _deleted(found), "delete-surely", "Delete it")
    if found and deed == "delete-surely":
        services.delete_policy(found, actor=request.user.email)
        messages.success(request, f"“{found.title}” is switched off. It and its alerts are gone in a moment.")
        return redirect("policies")
    given = read(request.POST)
    if deed == "edit":
        return _builder(request, given, found)
    account = request.user.account
    try:
        if given["state"] == PolicyState.ACTIVE and given["title"].strip() and deed != "save-surely":  # without a name it is refused below
            opened = _would_open(account, given, found, queries.trial(account, conditions.checked(given["rule"])))
            if opened > _MANY:
                return _ask_many(request, given, opened, "Back to the policy")
        saved = services.save_policy(account, found, actor=request.user.email, **given)
    except ConsentryError as error:
        return _builder(request, given, found, f"{error.what} {error.remedy}")
    messages.success(request, f"“{saved.title}” was saved.{_SOON if services.matches_now(saved) else ''}")
    return redirect("policies")


def _ask_many(request: ConsoleRequest, given: dict[str, Any], opened: int, back: str) -> HttpResponse:
    lines = [_told(request.user.account, given, opened), "To see first what it finds, go back and choose the state “Audit only”."]
    return _ask(request, f"Open {opened:,} alerts at once?", lines, "save-surely", f"Save and open {opened:,} alerts", back)


def _ask(request: ConsoleRequest, title: str, lines: list[str], deed: str, button: str, back: str = "Back to the policy") -> HttpResponse:
    """A page between a form and what it does. It holds what was filled in, so that going back loses nothing."""
    kept = [(name, value) for name, values in request.POST.lists() if name not in {"csrfmiddlewaretoken", "deed"} for value in values]
    context = {"title": title, "lines": lines, "deed": deed, "button": button, "back": back, "kept": kept, "action": request.path}
    return render(request, "policy/confirm.html", context)


def _deleted(found: Policy) -> list[str]:
    alerts = Alert.objects.filter(policy=found)
    number = alerts.count()
    if not number:
        return ["It has no alerts. This can’t be undone."]
    to_do = alerts.filter(state__in=LIVE).count()
    return [f"{number:,} alert{_s(number)} will be deleted with it, {to_do:,} of them not closed yet.", "This can’t be undone."]


def _would_open(account: Account, given: dict[str, Any], found: Policy | None, tried: queries.Trial) -> int:
    planned = Policy(account=account, state=given["state"], cooldown_hours=given["cooldown_hours"])
    if found:
        planned.pk = found.pk
    return queries.would_open(planned, tried)


def _told(account: Account, given: dict[str, Any], opened: int) -> str:
    """What a save would do, in a sentence."""
    channels = len(notify.listening(account.pk, given["severity"]))
    heard = f"tells {channels} channel{_s(channels)}" if channels else "tells nobody, as no channel takes this severity"
    return f"Saving opens {opened:,} alert{_s(opened)} now and {heard}."


def _outcome(account: Account, given: dict[str, Any], found: Policy | None, tried: queries.Trial) -> str:
    if given["state"] == PolicyState.OFF:
        return "Switched off: nothing is looked for, and nobody is told."
    if given["state"] == PolicyState.AUDIT:
        counted = (
            "what happens next is counted" if tried.of_change else f"{tried.matches:,} match{'' if tried.matches == 1 else 'es'} counted"
        )
        return f"Audit only: {counted}, and nobody is told."
    if tried.of_change:
        return "Nothing is told now; it alerts when that change happens next."
    opened = _would_open(account, given, found, tried)
    return _told(account, given, opened) if opened else "Saving opens no alert now; it alerts when something matches that did not."


def _s(number: int) -> str:
    return "" if number == 1 else "s"


def read(form: QueryDict) -> dict[str, Any]:
    """The builder's form as the fields of a policy; conditions without a value are kept as they are."""
    rule: list[list[dict[str, Any]]] = []
    for group in range(conditions.MOST_GROUPS):
        made = []
        for number in range(conditions.MOST_CONDITIONS):
            name = f"c{group}.{number}"
            field = form.get(f"{name}.field")
            if field in conditions.FIELDS:
                made.append({"field": field, "value": _value(form, name, field), **({"not": True} if form.get(f"{name}.not") else {})})
        if made:
            rule.append(made)
    return {
        "title": form.get("title", ""),
        "why": form.get("why", ""),
        "severity": form.get("severity", ""),
        "state": form.get("state", ""),
        "cooldown_hours": _hours(form),
        "rule": rule,
    }


def _hours(form: QueryDict) -> int:
    hours = form.get("cooldown_hours", "0")
    return int(hours) if hours.isdecimal() and len(hours) < 6 else 0


def _value(form: QueryDict, name: str, field: str) -> Any:
    kind = conditions.FIELDS[field].kind
    if form.get(f"{name}.was") != field:  # another field was chosen: its value is to be entered, but yes or no has a first answer
        return True if kind == "flag" else None
    if kind == "choice":
        return form.getlist(f"{name}.value")
    return form.get(f"{name}.value", "yes") == "yes" if kind == "flag" else form.get(f"{name}.value", "")


def _builder(request: ConsoleRequest, given: dict[str, Any], found: Policy | None, problem: str = "") -> HttpResponse:
    context = {
        **_conditions(request, given["rule"]),
        **_tried(request, given, found),
        "draft": given,
        "policy": found,
        "problem": problem,
        "severities": _SEVERITIES,
        "states": PolicyState.choices,
    }
    return render(request, "policy/builder.html", context, status=422 if problem else 200)


def _conditions(request: ConsoleRequest, rule: list[list[dict[str, Any]]]) -> dict[str, Any]:
    known = choices(request.user.account)
    fields = [(name, field.label) for name, field in conditions.FIELDS.items()]
    groups = []
    for place, group in enumerate(rule):
        lines = []
        for number, one in enumerate(group):
            field = conditions.FIELDS[one["field"]]
            value = one["value"]
            options = [(key, label, key in (value or ())) for key, label in known.get(one["field"], {}).items()]
            name = f"c{place}.{number}"
            lines.append(
                {"name": name, "id": f"c{place}-{number}", "place": f"{place}.{number}", "field": one["field"], "kind": field.kind, "label": field.label, "unit": field.unit,
                 "not": one.get("not", False), "options": options, "boxes": len(options) <= _FEW,
                 "value": f"{value:g}" if isinstance(value, float) else "" if value is None else value}
            )  # fmt: skip
        groups.append({"place": place, "lines": lines})
    return {"groups": groups, "fields": fields}


def _tried(request: ConsoleRequest, given: dict[str, Any], found: Policy | None) -> dict[str, Any]:
    rule: list[list[dict[str, Any]]] = given["rule"]
    open_ends = [conditions.FIELDS[one["field"]].label for group in rule for one in group if one["value"] in (None, "", [])]
    if open_ends or not rule:
        unready = f"Choose a value for “{open_ends[0]}” to see what matches." if open_ends else "Add a condition to see what matches."
        return {"trial": None, "unready": unready, "outcome": unready}
    try:
        trial = _trial(request, conditions.checked(rule))
    except ConsentryError as error:
        unready = f"{error.what} {error.remedy}"
        return {"trial": None, "unready": unready, "outcome": unready}
    return {"trial": trial, "outcome": _outcome(request.user.account, given, found, trial["tried"])}


def _trial(request: ConsoleRequest, rule: conditions.Rule) -> dict[str, Any]:
    tried = queries.trial(request.user.account, rule)
    return {"tried": tried, "rows": [plugin_row(plugin) for plugin in tried.matching]}


def _find(request: ConsoleRequest, key: str) -> Policy:
    found = next((one for one in services.policies(request.user.account) if one.key == key), None)
    if found is None:
        raise Http404
    return found
