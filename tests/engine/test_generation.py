"""What the batch promises of thoughts, budgets, limits and grammars, on real models."""

import itertools
import json

import pytest
from msgspec.structs import replace

from worker.domain.errors import BadRequest, BadSchema, ContextTooLong
from worker.domain.messages import Kind, Mode, Sampling
from worker.engine.generation import Generation, Limits
from worker.engine.making import RowMaker
from worker.engine.models import load
from worker.engine.pipe import Cancel, Done, State, Submit, Text
from worker.engine.text import is_looping

MAKERS = {}
"""One for each model: what grammars need of a vocabulary takes seconds."""


def maker_of(loaded):
    key = (loaded.fingerprint, loaded.context_tokens, loaded.profile)
    if key not in MAKERS:
        MAKERS[key] = RowMaker(loaded)
    return MAKERS[key]


class Runner:
    """Runs rows to their end and keeps what they said."""

    def __init__(self, loaded, **limits):
        self.loaded = loaded
        self.generation = Generation(loaded, Limits(**limits), maker=maker_of(loaded))

    def submit(self, row, prompt="Tell me about cats.", mode=Mode.NO_THINK, **fields):
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        submit = Submit(row=row, messages=messages, mode=mode, **fields)
        self.generation.submit(self.generation.prepare(submit))

    def run(self, until=lambda _said: False):
        said = Said()
        while not self.generation.idle and not until(said):
            said.hear(self.generation.step())
        return said

    def one(self, *args, **fields):
        self.submit(1, *args, **fields)
        return self.run()


class Said:
    def __init__(self):
        self.done = {}
        self.texts = {}
        self.states = {}
        self.tokens = {}

    def hear(self, step):
        for event in step.events:
            self.event(event)
        for row, tokens in step.tokens:
            self.tokens.setdefault(row, []).extend(tokens)

    def event(self, event):
        if isinstance(event, Done):
            self.done[event.row] = event
        elif isinstance(event, Text):
            self.texts.setdefault((event.row, event.kind), []).append(event.text)
        elif isinstance(event, State):
            self.states.setdefault(event.row, []).append(event.state)

    def text(self, kind=Kind.ANSWER, row=1):
        return "".join(self.texts.get((row, kind), []))


@pytest.fixture(scope="module")
def qwen(tiny_qwen3):
    return Runner(load(tiny_qwen3))


@pytest.fixture(scope="module")
def smollm(smollm2_path):
    return Runner(load(smollm2_path))


GREEDY = Sampling(temperature=0.0, max_tokens=24)


@pytest.mark.parametrize("model", ["qwen", "smollm"])
def test_a_thought_is_cut_at_exactly_its_budget_and_an_answer_follows(model, request):
    runner = request.getfixturevalue(model)
    said = runner.one(mode=Mode.THINK, budget_tokens=7, sampling=Sampling(max_tokens=30))
    assert said.done[1].reasoning_tokens <= 7
    assert said.done[1].completion_tokens > said.done[1].reasoning_tokens
    assert said.states[1] == ["prefill", "thinking", "answering"]


@pytest.mark.parametrize("model", ["qwen", "smollm"])
def test_a_thought_cut_by_max_tokens_still_ends_in_an_answer(model, request):
    runner = request.getfixturevalue(model)
    said = runner.one(mode=Mode.THINK, sampling=Sampling(max_tokens=10))
    done = said.done[1]
    assert 0 < done.reasoning_tokens < done.completion_tokens <= 10


@pytest.mark.parametrize("model", ["qwen", "smollm"])
def test_a_budget_of_nothing_is_no_thinking(model, request):
    runner = request.getfixturevalue(model)
    said = runner.one(mode=Mode.THINK, budget_tokens=0, sampling=GREEDY)
    assert said.done[1].reasoning_tokens == 0
    assert said.text(Kind.REASONING) == ""
    assert "thinking" not in said.states[1]


def test_without_thinking_a_native_model_has_no_thought(qwen):
    said = qwen.one(mode=Mode.NO_THINK, sampling=GREEDY)
    assert said.done[1].reasoning_tokens == 0
    assert said.text(Kind.REASONING) == ""


@pytest.mark.parametrize("model", ["qwen", "smollm"])
def test_no_control_token_reaches_any_text(model, request):
    runner = request.getfixturevalue(model)
    for mode in Mode:
        runner.submit(1, mode=mode, budget_tokens=12, sampling=Sampling(max_tokens=60, seed=3))
        said = runner.run()
        for kind in (Kind.ANSWER, Kind.REASONING):
            assert not any(mark in said.text(kind) for mark in ("<think>", "</think>", "<|im_"))


@pytest.mark.parametrize("model", ["qwen", "smollm"])
def test_greedy_output_is_mlx_lms_own(model, request):
    from mlx_lm import generate

    runner = request.getfixturevalue(model)
    prompt = runner.generation.prepare(
        Submit(row=0, messages=[{"role": "user", "content": "Count to ten."}], mode=Mode.NO_THINK)
    ).prompt
    loaded = runner.loaded
    theirs = generate(loaded.model, loaded.tokenizer, prompt, max_tokens=24)
    ours = runner.one("Count to ten.", sampling=GREEDY)
    assert ours.text() == theirs.strip()


def test_rows_of_a_batch_do_not_change_each_other(smollm):
    prompts = [f"Tell a story about {number} cats." for number in range(4)]
    alone = [smollm.one(prompt, sampling=GREEDY).text() for prompt in prompts]
    for row, prompt in enumerate(prompts):
        smollm.submit(row, prompt, sampling=GREEDY)
    said = smollm.run()
    assert [said.text(row=row) for row in range(4)] == alone


def test_a_seed_gives_the_same_text_alone_and_in_a_batch(smollm):
    sampling = Sampling(temperature=0.9, max_tokens=16, seed=11)
    alone = smollm.one("Tell a story.", sampling=sampling).text()
    smollm.submit(1, "Tell a story.", sampling=sampling)
    smollm.submit(2, "Say something else.", sampling=Sampling(temperature=0.9, max_tokens=16))
    assert smollm.run().text(row=1) == alone


def test_a_stop_string_ends_the_answer_and_is_not_part_of_it(smollm):
    whole = smollm.one("Count to ten.", sampling=GREEDY).text()
    word = whole.split()[2]
    said = smollm.one(
        "Count to ten.", sampling=Sampling(temperature=0, max_tokens=24, stop=(word,))
    )
    assert said.done[1].finish_reason == "stop"
    assert said.text() == whole.partition(word)[0].rstrip()


def test_the_parts_of_a_text_have_no_blanks_around_the_whole(qwen):
    said = qwen.one(mode=Mode.THINK, budget_tokens=8, sampling=Sampling(max_tokens=40))
    for kind in (Kind.ANSWER, Kind.REASONING):
        assert said.text(kind) == said.text(kind).strip()


def test_a_cancelled_row_ends_at_once_with_what_it_has(smollm):
    smollm.submit(1, sampling=Sampling(temperature=0, max_tokens=500))
    said = smollm.run(until=lambda said: len(said.texts.get((1, Kind.ANSWER), [])) >= 3)
    produced = len(said.tokens[1])
    for event in smollm.generation.cancel(Cancel(1)):
        said.event(event)
    assert smollm.generation.idle
    assert said.done[1].finish_reason == "cancelled"
    assert said.done[1].completion_tokens == produced


def test_a_row_that_waits_can_be_cancelled(smollm):
    smollm.submit(1, sampling=GREEDY)
    events = smollm.generation.cancel(Cancel(1, "deadline"))
    assert [event.finish_reason for event in events] == ["deadline"]
    assert smollm.generation.idle


def test_more_rows_than_fit_wait_their_turn(smollm2_path):
    runner = Runner(load(smollm2_path), rows=2)
    for row in range(5):
        runner.submit(row, sampling=Sampling(temperature=0, max_tokens=4))
    assert sorted(runner.run().done) == list(range(5))


def test_a_long_prompt_is_read_in_chunks_while_another_row_decodes(qwen):
    qwen.submit(1, sampling=Sampling(temperature=0, max_tokens=40))
    said = qwen.run(until=lambda said: bool(said.tokens.get(1)))
    qwen.submit(2, "word " * 1200, sampling=Sampling(max_tokens=2))
    between = 0
    while said.states.get(2, [""])[-1] != "answering" and not qwen.generation.idle:
        step = qwen.generation.step()
        between += any(row == 1 for row, _ in step.tokens)
        said.hear(step)
    assert between >= 4
    qwen.run()


def test_a_conversation_beyond_the_context_is_refused_with_limit_and_count(tiny_qwen3):
    runner = Runner(replace(load(tiny_qwen3), context_tokens=64))
    with pytest.raises(ContextTooLong, match=r"has \d+ tokens.* at most 63"):
        runner.submit(1, "word " * 200)


SCHEMA = {
    "type": "object",
    "properties": {"room": {"enum": ["kitchen", "hall"]}, "level": {"type": "integer"}},
    "required": ["room", "level"],
    "additionalProperties": False,
}
BOUND = {"type": "json_schema", "json_schema": {"schema": SCHEMA}}


@pytest.mark.parametrize("model", ["qwen", "smollm"])
@pytest.mark.parametrize("mode", list(Mode))
def test_an_answer_bound_to_a_schema_is_valid_in_both_modes(model, mode, request):
    runner = request.getfixturevalue(model)
    sampling = Sampling(temperature=0, max_tokens=80)
    said = runner.one("Kitchen to 5.", mode=mode, budget_tokens=8, sampling=sampling, grammar=BOUND)
    assert json.loads(said.text())["room"] in ("kitchen", "hall")
    assert said.done[1].reasoning_tokens == (0 if mode is Mode.NO_THINK else 8) or said.text(
        Kind.REASONING
    )


@pytest.mark.parametrize("length", range(1, 12))
def test_a_bound_answer_cut_by_its_length_is_still_valid(smollm, length):
    sampling = Sampling(temperature=0, max_tokens=length)
    said = smollm.one("Kitchen to 5.", sampling=sampling, grammar=BOUND)
    assert set(json.loads(said.text())) == {"room", "level"}


@pytest.mark.parametrize("parked", [False, True])
def test_a_bound_answer_is_completed_when_the_deadline_cuts_it(smollm, parked):
    smollm.submit(1, "Kitchen to 5.", sampling=Sampling(temperature=0.0), grammar=BOUND)
    said = smollm.run(lambda said: len(said.text()) > 3)
    if parked:
        smollm.generation.park(1)
    for event in smollm.generation.cancel(Cancel(1, "deadline")):
        said.event(event)
    assert set(json.loads(said.text())) == {"room", "level"}
    assert "completed" in said.done[1].notes[0]


@pytest.mark.parametrize("model", ["qwen", "smollm"])
def test_a_thought_that_there_is_no_more_time_for_is_closed_and_an_answer_follows(model, request):
    runner = request.getfixturevalue(model)
    runner.submit(1, mode=Mode.THINK, budget_tokens=40, sampling=Sampling(max_tokens=60))
    said = runner.run(lambda said: len(said.tokens.get(1, [])) >= 3)
    before = len(said.tokens[1])
    runner.generation.conclude(1)
    done = runner.run().done[1]
    assert done.reasoning_tokens <= before + 1
    assert done.completion_tokens > done.reasoning_tokens


def test_a_parked_thought_that_there_is_no_more_time_for_is_closed_when_it_goes_on(smollm):
    smollm.submit(1, mode=Mode.THINK, budget_tokens=40, sampling=Sampling(max_tokens=60))
    said = smollm.run(lambda said: len(said.tokens.get(1, [])) >= 3)
    smollm.generation.park(1)
    smollm.generation.conclude(1)
    smollm.generation.resume(1)
    assert smollm.run().done[1].reasoning_tokens <= len(said.tokens[1]) + 1


def test_an_answer_ends_with_the_tokens_that_the_deadline_leaves_and_says_so(smollm):
    done = smollm.one(sampling=GREEDY, deadline_tokens=9).done[1]
    assert (done.completion_tokens, done.finish_reason) == (9, "deadline")


def test_a_deadline_that_leaves_more_than_was_wanted_cuts_nothing(smollm):
    done = smollm.one(sampling=GREEDY, deadline_tokens=900).done[1]
    assert (done.completion_tokens, done.finish_reason) == (24, "length")


def test_a_thought_leaves_half_of_what_fits_before_the_deadline_to_the_answer(smollm):
    done = smollm.one(mode=Mode.THINK, deadline_tokens=20, sampling=GREEDY).done[1]
    assert done.reasoning_tokens <= 10


def test_a_bound_answer_is_completed_when_the_deadline_leaves_too_few_tokens(smollm):
    said = smollm.one("Kitchen to 5.", grammar=BOUND, deadline_tokens=3)
    assert set(json.loads(said.text())) == {"room", "level"}
    assert said.done[1].finish_reason == "deadline"


def test_a_schema_that_can_not_be_enforced_is_refused(smollm):
    hopeless = {"type": "json_schema", "json_schema": {"schema": {"type": "no such type"}}}
    with pytest.raises(BadSchema):
        smollm.submit(1, grammar=hopeless)


TOOL = {
    "type": "function",
    "function": {
        "name": "set_light",
        "parameters": {
            "type": "object",
            "properties": {"on": {"type": "boolean"}},
            "required": ["on"],
        },
    },
}


@pytest.mark.parametrize("model", ["qwen", "smollm"])
def test_a_required_tool_call_has_a_declared_name_and_valid_arguments(model, request):
    runner = request.getfixturevalue(model)
    sampling = Sampling(temperature=0, max_tokens=80)
    said = runner.one("Light on.", sampling=sampling, tools=[TOOL], tool_choice="required")
    (call,) = said.done[1].tool_calls
    assert call["function"]["name"] == "set_light"
    assert isinstance(json.loads(call["function"]["arguments"])["on"], bool)
    assert json.loads(said.text(Kind.TOOL)) == call
    assert said.text(Kind.ANSWER) == ""
    assert said.done[1].finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("model", "mode", "produced"),
    [
        *itertools.product(["qwen"], Mode, [1, 5, 9, 14]),
        ("smollm", Mode.THINK, 5),
        ("smollm", Mode.NO_THINK, 9),
    ],
)
def test_a_row_replayed_in_a_new_engine_goes_on_as_if_nothing_had_happened(
    model, mode, produced, request
):
    runner = request.getfixturevalue(model)
    fields = {"mode": mode, "budget_tokens": 8, "sampling": Sampling(temperature=0, max_tokens=20)}
    whole = runner.one(**fields)
    runner.submit(1, **fields)
    first = runner.run(until=lambda said: len(said.tokens.get(1, [])) >= produced)
    runner.generation.cancel(Cancel(1))
    runner.submit(1, **fields, generated=first.tokens[1])
    second = runner.run()
    for kind in (Kind.ANSWER, Kind.REASONING):
        assert first.text(kind) + second.text(kind) == whole.text(kind)
    assert second.done[1].completion_tokens == whole.done[1].completion_tokens


def test_a_token_with_a_high_bias_is_said_and_one_with_a_low_bias_is_not(qwen):
    wanted = qwen.loaded.tokenizer.encode(" cat", add_special_tokens=False)[0]
    said = qwen.one(sampling=Sampling(temperature=0, max_tokens=5, logit_bias={wanted: 100}))
    assert said.tokens[1] == [wanted] * 5
    plain = qwen.one(sampling=Sampling(temperature=0, max_tokens=1)).tokens[1][0]
    said = qwen.one(sampling=Sampling(temperature=0, max_tokens=8, logit_bias={plain: -100}))
    assert plain not in said.tokens[1]


def test_a_bias_for_a_token_the_model_does_not_have_is_refused(qwen):
    with pytest.raises(BadRequest, match="logit_bias: expected token ids below"):
        qwen.submit(1, sampling=Sampling(logit_bias={9_999_999: 1}))


@pytest.mark.parametrize(("mode", "loop_in"), [(Mode.NO_THINK, "answer"), (Mode.THINK, "thought")])
def test_a_text_that_goes_round_in_circles_is_ended_and_the_reply_says_so(qwen, mode, loop_in):
    wanted = qwen.loaded.tokenizer.encode(" cat", add_special_tokens=False)[0]
    sampling = Sampling(temperature=0, max_tokens=400, logit_bias={wanted: 100})
    done = qwen.one(mode=mode, budget_tokens=300, sampling=sampling).done[1]
    assert f"The {loop_in} went round in circles" in done.notes[0]
    assert done.completion_tokens < 300
    assert done.thought_end == ("loop" if mode is Mode.THINK else "none")


def test_each_token_of_an_answer_comes_with_its_probability_and_the_likeliest_others(smollm):
    sampling = Sampling(temperature=0, max_tokens=6, logprobs=True, top_logprobs=3)
    said = smollm.one(sampling=sampling)
    choices = said.done[1].logprobs
    assert "".join(choice.token for choice in choices).strip() == said.text()
    for choice in choices:
        assert len(choice.top_logprobs) == 3
        assert choice.top_logprobs[0].logprob == choice.logprob
        assert choice.logprob <= 0


def test_log_probabilities_are_of_the_answer_alone(smollm):
    sampling = Sampling(temperature=0, max_tokens=60, logprobs=True)
    said = smollm.one(mode=Mode.THINK, budget_tokens=5, sampling=sampling)
    assert "".join(choice.token for choice in said.done[1].logprobs).strip() == said.text()


@pytest.mark.parametrize(
    ("tokens", "looping"),
    [
        ([7] * 96, True),
        ([7] * 95, False),
        ([1, 2, 3] * 32, True),
        ([*range(40), *([5, 6] * 20)], False),
        (list(range(40)) * 6, True),
        (list(range(40)) * 5, False),
        (list(range(200)), False),
    ],
)
def test_a_loop_is_six_times_the_same_and_96_tokens_long(tokens, looping):
    assert is_looping(tokens) is looping


@pytest.mark.parametrize("model", ["qwen", "embedded"])
@pytest.mark.parametrize("cut", [False, True])
def test_a_call_that_the_model_begins_itself_has_a_declared_name_and_valid_arguments(
    model, cut, request
):
    runner = request.getfixturevalue(model)
    (begin,) = runner.loaded.tokenizer.tool_call_start_tokens
    # A random model is led to begin a call by a bias; what it writes then is nobody's but its own.
    led = Sampling(temperature=0, max_tokens=60, logit_bias={begin: 6.0})
    runner.submit(1, "Light on.", sampling=led, tools=[TOOL])
    said = runner.run(lambda said: cut and begin in said.tokens.get(1, []))
    if cut:
        runner.generation.park(1)
        runner.generation.resume(1)
        rest = runner.run()
        said.done, said.texts = rest.done, said.texts | rest.texts
    assert said.done[1].tool_calls
    for call in said.done[1].tool_calls:
        assert call["function"]["name"] == "set_light"
        assert isinstance(json.loads(call["function"]["arguments"])["on"], bool)


@pytest.fixture(scope="module")
def embedded(embedded_path):
    return Runner(load(embedded_path))


def test_tools_that_no_grammar_can_bind_are_refused(qwen):
    hopeless = {"type": "function", "function": {"name": "x", "parameters": {"type": "no such"}}}
    with pytest.raises(BadSchema) as refused:
        qwen.submit(1, tools=[hopeless])
    assert refused.value.field == "tools[0].function.parameters"


PLUG = {
    "type": "function",
    "function": {
        "name": "set_plug",
        "parameters": {
            "type": "object",
            "properties": {"level": {"type": "integer", "minimum": 1, "maximum": 3}},
            "required": ["level"],
        },
    },
}


def led_to_call(runner, bias=6.0, max_tokens=60):
    """Return a sampling that leads a model to begin a call in its own format."""
    (begin,) = runner.loaded.tokenizer.tool_call_start_tokens
    return Sampling(temperature=0, max_tokens=max_tokens, logit_bias={begin: bias})


def names(said):
    return [call["function"]["name"] for call in said.done[1].tool_calls]


@pytest.mark.parametrize("model", ["qwen", "smollm"])
@pytest.mark.parametrize("tool", [TOOL, PLUG], ids=lambda tool: tool["function"]["name"])
@pytest.mark.parametrize("mode", list(Mode))
def test_a_named_tool_is_the_one_that_is_called(model, tool, mode, request):
    runner = request.getfixturevalue(model)
    choice = {"type": "function", "function": {"name": tool["function"]["name"]}}
    said = runner.one(
        "Do it.", mode=mode, budget_tokens=6, tools=[TOOL, PLUG], tool_choice=choice,
        sampling=Sampling(temperature=0, max_tokens=80),
    )  # fmt: skip
    assert names(said) == [tool["function"]["name"]]
    assert said.done[1].finish_reason == "tool_calls"
    assert said.text(Kind.ANSWER) == ""


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(("choice", "made"), [("auto", ["set_light"]), ("none", [])])
def test_where_no_call_is_wanted_none_is_made_though_the_model_writes_one(qwen, mode, choice, made):
    """A conversation with calls in it talks a model into one more, declared or not."""
    tokenizer = qwen.loaded.tokenizer
    messages = [{"role": "user", "content": "Light on."}]
    row = qwen.generation.prepare(
        Submit(row=1, messages=messages, mode=mode, tools=[TOOL], tool_choice=choice)
    )
    written = '\n{"name": "set_light", "arguments": {"on": true}}\n'
    said = Said()
    for token in (
        *tokenizer.tool_call_start_tokens,
        *tokenizer.encode(written, add_special_tokens=False),
        *tokenizer.tool_call_end_tokens,
    ):
        events = []
        row.accept(token, events)
        for event in events:
            said.event(event)
    events = []
    row.finish(events)
    for event in events:
        said.event(event)
    assert names(said) == made
    assert bool(said.text(Kind.TOOL)) is bool(made)
    assert ("set_light" in said.text(Kind.ANSWER)) is not bool(made)


def test_where_no_call_is_wanted_the_model_is_told_of_no_tool(qwen):
    def prompt(**fields):
        messages = [{"role": "user", "content": "Light on."}]
        submit = Submit(row=0, messages=messages, mode=Mode.NO_THINK, **fields)
        return qwen.generation.prepare(submit).prompt

    assert prompt(tools=[TOOL], tool_choice="none") == prompt()
    assert prompt(tools=[TOOL], tool_choice="auto") != prompt()


def test_where_it_may_call_it_may_also_just_answer(smollm):
    hello = smollm.loaded.tokenizer.encode(" cat", add_special_tokens=False)[0]
    plain = Sampling(temperature=0, max_tokens=8, logit_bias={hello: 100})
    said = smollm.one("Hello.", sampling=plain, tools=[TOOL], tool_choice="auto")
    assert said.done[1].tool_calls == []
    assert said.text().startswith("cat")


@pytest.mark.parametrize("budget", [8, 40])
def test_a_call_made_inside_a_thought_is_not_lost(qwen, budget):
    said = qwen.one(
        "Light on.", mode=Mode.THINK, budget_tokens=budget, tools=[TOOL],
        sampling=led_to_call(qwen, max_tokens=160),
    )  # fmt: skip
    assert "thinking" in said.states[1]
    assert names(said)
    assert set(names(said)) == {"set_light"}
    for kind in (Kind.REASONING, Kind.ANSWER):
        assert "set_light" not in said.text(kind)
    streamed = "".join(said.texts[1, Kind.TOOL])
    assert all(json.dumps(call["id"]) in streamed for call in said.done[1].tool_calls)


def test_every_call_of_one_answer_has_an_id_of_its_own(qwen):
    said = qwen.one(
        "Both.", tools=[TOOL, PLUG], sampling=led_to_call(qwen, bias=20.0, max_tokens=160)
    )
    calls = said.done[1].tool_calls
    assert len(calls) > 1
    assert len({call["id"] for call in calls}) == len(calls)
    for call in calls:
        arguments = json.loads(call["function"]["arguments"])
        wanted = {"set_light": bool, "set_plug": int}[call["function"]["name"]]
        assert [type(value) for value in arguments.values()] == [wanted]


def rounds(count):
    """Return a conversation in which a tool was called and has answered so many times."""
    messages = [{"role": "user", "content": "Light on."}]
    for number in range(count):
        called = {"name": "set_light", "arguments": {"on": bool(number % 2)}}
        call = {"id": f"c{number}", "type": "function", "function": called}
        messages += [
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{number}", "content": f"result {number}"},
        ]
    return messages


@pytest.mark.parametrize(("model", "count"), [("qwen", 1), ("qwen", 4), ("embedded", 2)])
def test_after_any_number_of_rounds_another_call_or_an_answer_can_be_made(model, count, request):
    runner = request.getfixturevalue(model)
    calling = runner.one(
        rounds(count), tools=[TOOL], tool_choice="required",
        sampling=Sampling(temperature=0, max_tokens=60),
    )  # fmt: skip
    assert names(calling) == ["set_light"]
    answering = runner.one(rounds(count), tools=[TOOL], tool_choice="none", sampling=GREEDY)
    assert answering.done[1].tool_calls == []
    prompt = runner.generation.prepare(
        Submit(row=0, messages=rounds(count), mode=Mode.NO_THINK, tools=[TOOL])
    ).prompt
    written = runner.loaded.tokenizer.decode(prompt)
    assert all(f"result {number}" in written for number in range(count))
