"""Makes one question of a conversation, and says how far a message leans on earlier ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from worker.domain.messages import Lane
from worker.domain.thinking import strip_switches
from worker.router.judge import Question

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from worker.domain.messages import Json, Message

EARLIER_TURNS = 6
"""User messages kept as `earlier`: what is further back is seldom what "it" means."""

BRIEF_WORDS = 14
"""A longer message states its own task."""

LONGEST_LEANING = 300
"""Characters; a longer message states its own task too, and of the one before only so many are
looked at, of a question beside documents as well."""

MANY_READINGS = 8
"""Numbers in the documents that make a table of them."""

A_LITTLE = 0.6
"""Log odds: from one half to about two thirds."""

_WEIGHS = re.compile(
    r"\b(?:most|least|highest|lowest|best|worst|average|mean|median|total|sum|trend|outliers?|why"
    r"|compare|deviates?|differs?|unusual|strange|wrong|warum|wieso|durchschnitt|mittelwert|summe"
    r"|meisten|höchsten?|niedrigsten?|auffällig|pourquoi|moyenne|somme|anormale?s?"
    r"|plus (?:haut|bas)e?|por qué|media|suma|promedio|anormal(?:es)?|más (?:alt|baj)[oa])\b"
    r"|最高|最低|最大|最小|平均|总共|合计|趋势|异常|为什么|对比|比较|一番|合計|傾向|なぜ|比べ"
)
"""Words of a question that weighs readings against each other, and doesn't only read one off."""

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_COUNTED_CHARS = 20_000
"""Characters of the documents that numbers are counted in; more changes nothing."""

_OWN_WISH = frozenset(
    {"@translate", "@summarize", "@rewrite", "@draft", "@extract", "@chat", "@weather"}
)
_OWN_WORK = frozenset({"@prove", "@solve", "@implement", "@code", "@plan", "@compare", "@debug"})
_COMMAND = frozenset({"@operate", "@device", "@media", "@assistant"})
_OWN_ERRAND = _COMMAND | {"@state"}

_PROGRAM = frozenset({"@code", "@implement", "@debug"})
_CASE = frozenset({"@story", "@logic", "@symptom", "@suppose", "@unit", "@quantity", "@constraint"})
"""What is told to be worked with, even where it names a device."""

WHOLLY, MOSTLY, HALFWAY, HARDLY = 1.0, 0.85, 0.6, 0.3
"""How much of a message's task lies in those before it; where all of it does, its own words say
nothing of the task."""

DOUBTED = 1.0
"""Log odds: who doubts an answer has not been helped by a quick one."""

VERY_SHORT, SHORT = 5, 8
"""Words (of the bin that begins there); what is shorter seldom is a whole wish."""

_FOLLOWS = re.compile(
    r"^\W*(?:and|but|then|so|now|or|again|also|why|how come|what if|und|aber|dann|jetzt|oder|noch"
    r"|warum|wieso|woran|et|mais|alors|donc|maintenant|ou|encore|celle|celui|pourquoi|d'où|y|pero"
    r"|entonces|ahora|o|otra|la del|el del|por qué|de qué)\b"
    r"|^\W*(?:那|要是|如果|换成|改成|也|再|还|不对|为什么|怎么回事|你确定"
    r"|もし|じゃ|では|それ|でも|あと|やっぱり|なぜ|どうして|途中|本当|違う|追加)"
    r"|\b(?:another|instead|still|same|step by step|go (?:on|ahead)|what about|without|it only"
    r"|only in|why (?:that|this|it)|nochmal|ohne|sans|sin)\b"
    r"|(?:呢|重新|不用|もう一度|だったら|使わずに|たら)\W*"
)
"""How a message begins, or what it says, that goes on from the one before."""

_SUPPOSES = re.compile(
    r"^\W*(?:(?:and|but|or|so)\s)?(?:what )?if\b|^\W*(?:(?:und|aber) )?(?:was )?wenn\b"
    r"|^\W*(?:(?:et|mais) )?si\b|^\W*(?:y |pero )?si\b|^(?:那|要)?(?:要是|如果|若)|^もし"
    r"|(?:だ|っ|れ|え)たら"
)
"""How a message begins that changes the case: the same again, with something else in it."""

_DOUBTS = re.compile(
    r"\b(?:are you (?:really |quite )?sure|check (?:it|that|this|again)|double.?check|recheck"
    r"|(?:that|it|this)(?:'?s| is| can'?t be| cannot be)? (?:not |in)?(?:right|correct|wrong)"
    r"|not right|i think (?:that|it)'?s wrong|try again|recalculate|bist du (?:dir )?sicher"
    r"|stimmt (?:das )?nicht|das ist falsch|rechne (?:das )?(?:noch ?mal )?nach|prüf (?:das|es)"
    r"|tu es sûre?|n'est pas juste|c'est faux|refais (?:le|ton) calcul|vérifie|estás seguro"
    r"|seguro\?|no está bien|está mal|vuelve a calcular\w*|revísalo)(?!\w)"
    r"|(?:你确定|确定吗|不对|算错|再算|检查一下|核对|本当[?？]|間違って|違うよ|違います|もう一度計算|確かめて)"
)
"""How a message says that the answer before it may be wrong."""

_WANTS_THE_WAY = re.compile(
    r"\b(?:how (?:did|do|can) you (?:get|find|know|come)|(?:show|explain|tell) (?:me )?(?:how|why)"
    r"|wie (?:kommst|kamst) du|wie du (?:da|das|dazu)|comment (?:as[- ]tu|tu as|tu)|cómo (?:lo has"
    r"|has|llegaste|llegas))\b|怎么(?:算|得|来的|知道|推)|どうやって"
)
"""How a message begins that asks for the way to the answer before it."""

_CLOSES = re.compile(
    r"^\W*(?:(?:ok|okay|forget it|never mind|got it|alright|all right|i see|fine|great|cool|nice"
    r"|perfect|wow|super|klasse|toll|genau|gut|alles klar|d'accord|génial|parfait|bien|vale"
    r"|perfecto|laisse tomber|olvídalo)\b"
    r"[\s,.!]*)+"
    r"|^(?:(?:好的|好|嗯|算了|もういい|明白了?|知道了|厉害|はい|なるほど|わかりました|わかった|すごい)"
    r"[，,。!！\s]*)+"
)
"""How a message begins that takes the answer before it as it is."""

_ASKS = re.compile(
    r"[?？]\s*$"
    r"|(?:^|[,;.])\W{0,3}(?:(?:so|and|then|also|alors|donc|entonces) )*(?:what|when|where|who|which"
    r"|how|wer|was|wann|wo|wie|welche[rsn]?|qui|que|quoi|quand|où|comment|combien|quel(?:le)?s?|qué"
    r"|cuándo|dónde|quién|cómo|cuánt[oa]s?|cuál(?:es)?)\b"
    r"|什么|怎么|多少|多久|几|谁|哪|吗|呢|何|誰|いつ(?!も)|どこ|どれ|か。?$"
)
"""How a question is known, punctuated or not."""


def question_of(
    messages: Sequence[Message],
    *,
    context: Mapping[str, Json] | None = None,
    has_tools: bool = False,
    wants_schema: bool = False,
    lane: Lane = Lane.STANDARD,
) -> Question:
    """Return what the router judges of a request; system and tool messages are not the question."""
    asked = [strip_switches(m.content) for m in messages if m.role == "user" and m.content]
    answers = [m.content for m in messages if m.role == "assistant" and m.content]
    chars, numbers = _size_of(context) if context else (0, 0)
    return Question(
        text=asked[-1] if asked else "",
        earlier=tuple(asked[-1 - EARLIER_TURNS : -1]),
        last_answer=answers[-1] if answers else "",
        documents_chars=chars,
        documents_numbers=numbers,
        has_tools=has_tools,
        wants_schema=wants_schema,
        lane=lane,
    )


def leaning(  # noqa: C901, PLR0911 - rules in a row, the first that fits decides
    marks: Collection[str], text: str, before: str = "", before_marks: Collection[str] = ()
) -> float:
    """Return how far a message's task lies in the messages before it, from 0 to 1.

    "why?" is all reference, "and now prove it" brings half a task along, "translate that" is a
    wish of its own whatever "that" was about.

    Args:
        marks: What the classifier knows of the message.
        text: The message.
        before: The message before it.
        before_marks: What the classifier knows of that.

    """
    if len(text) > LONGEST_LEANING:
        return 0.0
    text, before = text.lower(), before[-LONGEST_LEANING:].lower()
    # What is set off in it belongs to the case that it states.
    before_marks = {mark.removeprefix("|") for mark in before_marks}
    words = next((int(m.rsplit(":", 1)[1]) for m in marks if m.startswith("#words:")), 0)
    if words >= BRIEF_WORDS:
        return 0.0
    if doubts(text) or _WANTS_THE_WAY.search(text):
        return WHOLLY
    closed = _CLOSES.match(text)
    rest = text[closed.end() :] if closed else text
    if not rest:
        return 0.0
    supposes = _SUPPOSES.search(rest) is not None
    follows = supposes or _FOLLOWS.search(rest) is not None
    asks = _ASKS.search(rest) is not None
    wishes = _OWN_WISH.intersection(marks)
    if wishes == {"@weather"} and "@quantity" in marks:
        wishes = frozenset()  # It asks how many hours, not what time it is.
    if wishes:
        changes = wishes == {"@rewrite"} and not _PROGRAM.isdisjoint(before_marks)
        return WHOLLY if changes else 0.0
    if not _OWN_WORK.isdisjoint(marks):
        goes_on = follows or words < VERY_SHORT or ("@refer" in marks and words < SHORT)
        errand_before = not (_COMMAND | _OWN_WISH).isdisjoint(before_marks)
        apart = errand_before and _OWN_WORK.isdisjoint(before_marks)
        return MOSTLY if goes_on and not apart else 0.0
    if asks and ("@cause" in marks or _tells_a_case(before, before_marks)):
        return MOSTLY
    if not _OWN_ERRAND.isdisjoint(marks):
        of_work = _COMMAND.isdisjoint(marks) and not _OWN_WORK.isdisjoint(before_marks)
        return MOSTLY if supposes or (follows and of_work) else HARDLY if follows else 0.0
    if follows:
        return MOSTLY
    if closed and not asks:
        return 0.0
    if "@refer" in marks:
        return HALFWAY
    return HARDLY if words < VERY_SHORT and "@chat" not in before_marks else 0.0


def doubts(text: str) -> bool:
    """Tell whether a message, in small letters, says that the answer before it may be wrong."""
    return _DOUBTS.search(text) is not None


def _tells_a_case(before: str, marks: Collection[str]) -> bool:
    """Tell whether a message states what the next one can ask about."""
    if not before or _ASKS.search(before) or not _OWN_WISH.isdisjoint(marks):
        return False
    return not _CASE.isdisjoint(marks) or _OWN_ERRAND.isdisjoint(marks)


def beside(question: Question, marks: Collection[str]) -> Iterator[tuple[str, float]]:
    """Yield what comes with a message, in the user's words, and how far it moves the log odds.

    Readings make a question about them harder, and twice so one that weighs them against each
    other, but not a wish to pass them on; who sends tools or a schema mostly wants something
    filled in. No labelled data tells how much, so it is little.
    """
    passes_on = not _OWN_WISH.isdisjoint(marks) or not _OWN_ERRAND.isdisjoint(marks)
    if question.documents_numbers >= MANY_READINGS and not passes_on:
        weighs = _WEIGHS.search(question.text[-LONGEST_LEANING:].lower()) is not None
        yield "comes with readings", A_LITTLE * (1 + weighs)
    elif question.documents_chars:
        yield "comes with documents", -A_LITTLE / 2
    if question.has_tools:
        yield "comes with tools", -A_LITTLE / 2
    if question.wants_schema:
        yield "wants a strict form", -A_LITTLE / 2


def _size_of(value: Json) -> tuple[int, int]:
    """Return the characters of the texts in a JSON value, and the numbers in and among them."""
    chars, numbers = 0, 0
    waiting: list[Json] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            chars += len(item)
            numbers += len(_NUMBER.findall(item[:_COUNTED_CHARS]))
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)
        elif isinstance(item, int | float) and not isinstance(item, bool):
            numbers += 1
    return chars, numbers
