"""The journal against a dictionary: whatever the order of operations and restarts, they agree."""

import asyncio
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from journal_samples import a_reply, a_request, a_session, answer

from worker.journal.store import Answered, Dead, Joined, Journal, New, State

CLIENTS = st.sampled_from(["kitchen", "garage"])
NAMES = st.sampled_from(["r1", "r2", "r3"])
SESSIONS = st.sampled_from([None, "talk"])
UNANSWERED = {State.ACCEPTED, State.RUNNING}


class JournalAndDictionary(RuleBasedStateMachine):
    """The model: {(client, name): [state, reply's content, session]} and {session: texts}."""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.journal = Journal.open(self.folder / "journal.sqlite")
        self.records = {}
        self.sessions = {}

    def teardown(self):
        self.do(self.journal.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    def do(self, work):
        return self.loop.run_until_complete(work)

    @rule(client=CLIENTS, name=NAMES, session=SESSIONS)
    def accept(self, client, name, session):
        session = session and f"{client}-{session}"
        admission = self.do(self.journal.accept(a_request(name, client, session=session)))
        known = self.records.setdefault((client, name), [None, None, session])
        if known[0] is None:
            assert admission == New()
            known[0] = State.ACCEPTED
        elif known[0] in UNANSWERED:
            assert admission == Joined(known[0])
        elif known[0] is State.DEAD:
            assert isinstance(admission, Dead)
        else:
            assert isinstance(admission, Answered)
            assert admission.reply.content == known[1]
            known[0] = State.ANSWERED

    @rule(client=CLIENTS, name=NAMES)
    def run(self, client, name):
        self.do(self.journal.running(client, name.encode(), 1))
        known = self.records.get((client, name))
        if known and known[0] in UNANSWERED:
            known[0] = State.RUNNING

    @rule(client=CLIENTS, name=NAMES, text=st.text(max_size=20))
    def answer(self, client, name, text):
        known = self.records.get((client, name))
        session = known[2] if known else None
        texts = [*self.sessions.get(session, []), text]
        turn = a_session(session, client, *texts) if session else None
        reply = a_reply(name, content=text)
        self.do(answer(self.journal, a_request(name, client), reply, turn))
        if known and known[0] in UNANSWERED:
            known[:2] = [State.ANSWERED, text]
            if session:
                self.sessions[session] = texts

    @rule(client=CLIENTS, name=NAMES)
    def deliver(self, client, name):
        self.do(self.journal.delivered(client, name.encode()))
        known = self.records.get((client, name))
        if known and known[0] is State.ANSWERED:
            known[0] = State.DELIVERED

    @rule(client=CLIENTS, name=NAMES)
    def bury(self, client, name):
        self.do(self.journal.dead(client, name.encode(), "poisoned"))
        known = self.records.get((client, name))
        if known and known[0] in UNANSWERED:
            known[0] = State.DEAD

    @rule(client=CLIENTS, session=SESSIONS)
    def forget(self, client, session):
        session = session and f"{client}-{session}"
        self.do(self.journal.forget(client, session))
        going = [
            one
            for one, known in self.records.items()
            if one[0] == client and session in (None, known[2])
        ]
        for one in going:
            del self.records[one]
        for name in [name for name in self.sessions if name.startswith(client)]:
            if session in (None, name):
                del self.sessions[name]

    @rule()
    def restart(self):
        self.do(self.journal.close())
        self.journal = Journal.open(self.folder / "journal.sqlite")

    @invariant()
    def they_agree(self):
        for (client, name), (state, _, _) in self.records.items():
            assert self.do(self.journal.find(client, name.encode())) is state
        waiting = {(entry.request.client, entry.request.id) for entry in self.journal.backlog()}
        assert waiting == {one for one, known in self.records.items() if known[0] in UNANSWERED}
        unsent = {(entry.client, entry.reply.id) for entry in self.journal.undelivered()}
        answered = {one for one, known in self.records.items() if known[0] is State.ANSWERED}
        assert unsent == answered
        assert self.do(self.journal.stats()).sessions == len(self.sessions)
        for name, texts in self.sessions.items():
            session = self.do(self.journal.session(name))
            assert [message.content for message in session.messages] == texts


TestJournalAndDictionary = JournalAndDictionary.TestCase
TestJournalAndDictionary.settings = settings(max_examples=25, stateful_step_count=25)
