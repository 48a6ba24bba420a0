"""A conversation that the worker keeps, as a value; imports only the messages.

What may be done with one is in `worker.sessions`; the journal stores it.
"""

from msgspec import Struct

from worker.domain.messages import Message, Mode


class Session(Struct, frozen=True):
    """A conversation and who opened it.

    `messages` is what the model reads again at the next turn: no thoughts. `mode` is what a soft
    switch asked to be remembered. `updated_at` is Unix time in seconds of the last recorded turn,
    0 before there is one.
    """

    name: str
    client: str
    mode: Mode | None = None
    messages: tuple[Message, ...] = ()
    updated_at: float = 0.0
