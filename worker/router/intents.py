"""Commands that need no model: sentences Home Assistant's own grammar is certain of; optional.

hassil matches the sentences of home-assistant-intents, word for word, with the names of this home
in them. Anything less than one reading with known names is nobody's business here: the model gets
it. Both packages come with the extra `intents` and are imported late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from worker.domain.thinking import find_switch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.domain.messages import Request

LONGEST_CHARACTERS = 120
"""A longer message is no command; matching it would only take time."""

_TALK = frozenset({"HassRespond", "HassNevermind", "HassBroadcast"})
"""Intents that are conversation, which the model is better at."""


class IntentsMissing(Exception):
    """The extra is not installed, or the language has no sentences; the message says which."""


class Intent(Struct, frozen=True, kw_only=True):
    """A command: its name and slots as Home Assistant has them, in the order of the sentence."""

    intent: str
    slots: dict[str, str | int | float]
    language: str

    @property
    def json(self) -> str:
        """The answer's text."""
        return msgspec.json.encode(self).decode()


class Home(Struct, frozen=True, kw_only=True):
    """What the home has: `devices` maps a device's name to its domain (`light`, `cover`, …)."""

    devices: dict[str, str] = {}
    areas: tuple[str, ...] = ()
    floors: tuple[str, ...] = ()


class Recognizer:
    """Recognizes commands of one home in one language.

    Args:
        language: As in home-assistant-intents: `en`, `de`, `zh-CN`.
        home: Its names.

    Raises:
        IntentsMissing: The packages or the language are not there.

    """

    def __init__(self, language: str, home: Home) -> None:
        try:
            import hassil  # noqa: PLC0415 - optional
            import home_assistant_intents  # noqa: PLC0415 - optional

            from worker.router import required  # noqa: PLC0415 - it needs hassil
        except ImportError as error:
            raise IntentsMissing("install the extra: pip install 'thinkq[intents]'") from error
        sentences = home_assistant_intents.get_intents(language)
        if sentences is None:
            known = ", ".join(home_assistant_intents.get_languages())
            raise IntentsMissing(f"there are no sentences in {language!r}; there are: {known}")
        self._language = language
        self._recognize_all = hassil.recognize_all
        self._sentences = hassil.Intents.from_dict(sentences)
        names = [(name, name, {"domain": domain}) for name, domain in home.devices.items()]
        texts = hassil.TextSlotList.from_strings
        self._lists = {
            "name": hassil.TextSlotList.from_tuples(names, name="name", allow_template=False),
            "area": texts(home.areas, name="area", allow_template=False),
            "floor": texts(home.floors, name="floor", allow_template=False),
        }
        self._areas = {area.lower(): area for area in home.areas}
        # This parses the sentences, too.
        required.require_names(self._sentences, self._lists)

    def of_request(self, request: Request) -> Intent | None:
        """Return the intent of a request that leaves its answer's form to us, if it is certain.

        `context.area` says in which of the home's areas the client is.
        """
        asked = request.messages[-1]
        plain = (
            request.mode == "auto"
            and not request.tools
            and request.response_format is None
            and [message.role for message in request.messages] == ["user"]
            and find_switch(request.messages) is None
        )
        if not plain:
            return None
        return self.recognize(asked.content or "", area=(request.context or {}).get("area"))

    def recognize(self, text: str, *, area: object = None) -> Intent | None:
        """Return what a sentence means, None unless there is exactly one reading.

        A device that is called by its name goes before an area that the name begins with.
        """
        text = text.strip()
        if not text or len(text) > LONGEST_CHARACTERS or "\n" in text:
            return None
        here = self._areas.get(area.lower()) if isinstance(area, str) else None
        found = self._recognize_all(
            text,
            self._sentences,
            slot_lists=self._lists,
            intent_context={"area": here} if here else None,
            language=self._language,
        )
        readings = _distinct(found)
        readings = [one for one in readings if "name" in one[1]] or readings
        if len(readings) != 1 or readings[0][0] in _TALK:
            return None
        intent, slots = readings[0]
        return Intent(intent=intent, slots=slots, language=self._language)


def _distinct(found: Iterable[Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return each reading once, and none at all where one has free text in a slot: a guess."""
    readings: list[tuple[str, dict[str, Any]]] = []
    for result in found:
        if any(entity.is_wildcard for entity in result.entities_list):
            return []
        slots = {entity.name: _plain(entity.value) for entity in result.entities_list}
        reading = (result.intent.name, slots)
        if reading not in readings:
            readings.append(reading)
    return readings


def _plain(value: Any) -> str | int | float:
    return int(value) if isinstance(value, float) and value.is_integer() else value
