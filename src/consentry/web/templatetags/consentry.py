"""Template tags of the console: icons, times, numbers and hostile text."""

from __future__ import annotations

import datetime as dt
import re
from functools import cache
from pathlib import Path

from django import forms, template
from django.contrib.staticfiles import finders
from django.forms.boundfield import BoundField
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from consentry.core.hostile import visible_text
from consentry.inventory.models import Plugin

register = template.Library()

ICON_NAME = re.compile(r"^[a-z0-9-]{1,60}$")
MISSING_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24" fill="none" '
    'stroke="currentColor" stroke-width="2" class="icon"><circle cx="12" cy="12" r="8"/></svg>'
)


@cache
def _icon_markup(name: str) -> str:
    """The SVG of one icon, or a plain circle when the asset was not installed."""
    path = finders.find(f"vendor/icons/{name}.svg") if ICON_NAME.match(name) else None
    if not isinstance(path, str):
        return MISSING_ICON
    markup = Path(path).read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", markup[markup.index("<svg") :]).strip()


@register.simple_tag
def icon(name: str, css: str = "", label: str = "") -> SafeString:
    """Inline the outline icon ``name``. With ``label`` it is an image with a name, without one it is decoration."""
    markup = _icon_markup(name).replace('class="icon', f'class="{format_html("{}", css)} icon' if css else 'class="icon', 1)
    access = format_html('role="img" aria-label="{}"', label) if label else 'aria-hidden="true" focusable="false"'
    return mark_safe(markup.replace("<svg", f"<svg {access}", 1))  # noqa: S308 -- our own files


@register.filter
def visible(value: object) -> str:
    """Text that a tenant wrote, with control and bidirectional characters made visible. Escaped by the template."""
    return "" if value is None else visible_text(str(value))


def _as_time(value: object) -> dt.datetime | None:
    if isinstance(value, str) and value:
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, dt.datetime):
        return None
    return value if timezone.is_aware(value) else value.replace(tzinfo=dt.UTC)


@register.simple_tag(name="time")
def time_tag(value: object, style: str = "both", empty: str = "—") -> SafeString:
    """A ``<time>`` that JavaScript rewrites in the person's own zone; without it, UTC.

    ``style`` is ``both`` (date and time), ``date`` or ``ago`` (relative, the full time as title).
    """
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return format_html('<time datetime="{}">{}</time>', value.isoformat(), value.strftime("%-d %b %Y"))
    moment = _as_time(value)
    if moment is None:
        return format_html('<span class="text-secondary">{}</span>', empty)
    moment = moment.astimezone(dt.UTC)
    text = moment.strftime("%-d %b %Y" if style == "date" else "%-d %b %Y, %H:%M UTC")
    return format_html(
        '<time datetime="{}" data-time="{}" title="{}">{}</time>',
        moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        style,
        moment.strftime("%-d %b %Y, %H:%M UTC"),
        text,
    )


@register.simple_tag
def risk(plugin: Plugin, style: str = "both") -> SafeString:
    """A plugin's score and level; one that was not scored yet says so, for unknown is not none. ``style`` is ``both`` or ``level``."""
    if "version" not in plugin.risk:
        return mark_safe('<span class="cell-sub">Not scored yet</span>')
    score = f"{plugin.risk_score:.1f} " if style == "both" else ""
    return format_html('<span class="level level-{}">{}{}</span>', plugin.risk_level, score, plugin.get_risk_level_display())


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds in words a person reads: ``8 s``, ``2 min 5 s``, ``1 h 4 min``."""
    if seconds is None:
        return "—"
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@register.filter
def number(value: float | None) -> str:
    """A whole number with thin separators, as in ``200,000``."""
    return "—" if value is None else f"{int(value):,}"


@register.filter
def control(field: BoundField) -> SafeString:
    """A form field's control with the classes of the design; Django adds what assistive technology needs."""
    widget = field.field.widget
    if isinstance(widget, forms.CheckboxInput):
        css = "form-check-input"
    elif isinstance(widget, forms.Select) and not isinstance(widget, forms.RadioSelect):
        css = "form-select"
    else:
        css = "form-control"
    given = widget.attrs.get("class", "")
    return field.as_widget(attrs={"class": f"{css} {given} {'is-invalid' if field.errors else ''}".strip()})
