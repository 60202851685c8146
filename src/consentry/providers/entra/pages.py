"""Pages of Graph as typed structs; an object that cannot be understood is counted and does not take its page with it."""

from __future__ import annotations

from typing import Any

import msgspec

from consentry.providers.entra.errors import Transient


class Page(msgspec.Struct):
    """One page: the objects, how many could not be understood, and the next link as Graph gave it."""

    value: list[Any]
    next: str | None = None
    unreadable: int = 0


class Decoder:
    """Decodes pages of one kind of object; ``next_link`` is what the next link is called."""

    def __init__(self, kind: type[Any], next_link: str = "@odata.nextLink") -> None:
        def pages_of(one: Any) -> msgspec.json.Decoder[Any]:
            fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
                ("value", list[one]),
                ("next", str | None, msgspec.field(name=next_link, default=None)),
            ]
            return msgspec.json.Decoder(msgspec.defstruct("Page", fields), strict=False)

        self._page, self._raw = pages_of(kind), pages_of(msgspec.Raw)
        self._single: msgspec.json.Decoder[Any] = msgspec.json.Decoder(kind, strict=False)

    def page(self, body: bytes) -> Page:
        """A page. Raises ``Transient`` when it is no page at all, as after a connection that was cut."""
        try:
            found = self._page.decode(body)
            return Page(found.value, found.next)
        except msgspec.ValidationError:
            return self._object_by_object(body)
        except msgspec.DecodeError as error:
            raise _broken(error) from error

    def single(self, body: bytes) -> Any:
        """One object. Raises ``Transient`` when it cannot be understood."""
        try:
            return self._single.decode(body)
        except msgspec.DecodeError as error:
            raise _broken(error) from error

    def _object_by_object(self, body: bytes) -> Page:
        try:
            found = self._raw.decode(body)
        except msgspec.DecodeError as error:
            raise _broken(error) from error
        page = Page([], found.next)
        for raw in found.value:
            try:
                page.value.append(self._single.decode(raw))
            except msgspec.DecodeError:
                page.unreadable += 1
        return page


def _broken(error: Exception) -> Transient:
    return Transient("answer_unreadable", f"Microsoft's answer could not be understood ({error}).", "It is read again with the next run.")
