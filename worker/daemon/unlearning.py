"""What a forgotten client alone has said leaves the router's layers; they are not made anew.

Nothing is learned here: weights go, none comes. The same whenever it is done, so it is done again
where it may have been missed: at the start, and after a layer was made of examples read earlier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.domain.messages import Message
from worker.journal import feedback
from worker.journal.storage import FILE_NAME, open_for_reading
from worker.router import site
from worker.router.classifier import load
from worker.router.conversation import question_of
from worker.router.trained import TrainedRouter

if TYPE_CHECKING:
    from pathlib import Path


def unlearn(folder: Path) -> int:
    """Drop what no example in the journal has any more from all layers of a data folder.

    Returns:
        How many weights went.

    Raises:
        JournalError: The journal can't be read.
        SiteError: The layers can't be read or written.

    """
    if not site.layers(folder):
        return 0
    journal = folder / FILE_NAME
    if not journal.is_file():
        # Layers of an operator's own files need none.
        return site.keep_only(folder, set())
    with open_for_reading(journal) as connection:
        examples = feedback.examples(connection)
    router = TrainedRouter(load())
    said: set[str] = set()
    for example in examples:
        asked = question_of([Message("user", text) for text in example.messages])
        said |= router.marks(asked)
    return site.keep_only(folder, said)
