"""Long contexts with their KV caches in 8 or 4 bits: the same rows, said in replies, apart."""

import pytest
from mlx_lm import generate
from mlx_lm.models.cache import QuantizedKVCache
from test_generation import Said
from test_long_context import LONG, LONGER, SHORT, Runner
from test_memory import PLENTY, measured

from worker.domain.messages import Sampling
from worker.engine.disk import Disk
from worker.engine.models import cache_key, load
from worker.engine.pins import ModelError
from worker.engine.pipe import Ahead
from worker.engine.quantized import Packing, flat, packing_of
from worker.engine.stretching import stretch

BITS = (8, 4)
GREEDY = Sampling(temperature=0.0, max_tokens=24)


@pytest.fixture(scope="module")
def wide_path(tmp_path_factory, smollm2_path):
    """A model whose heads are as wide as packing wants them; YaRN begins at 512 tokens."""
    import tiny_qwen3

    folder = tmp_path_factory.mktemp("models") / "wide-qwen3"
    changes = {"max_position_embeddings": 512, "head_dim": 64, "hidden_size": 128}
    return tiny_qwen3.make(folder, smollm2_path, **changes)


@pytest.fixture(scope="module")
def wide(wide_path):
    return load(wide_path)


@pytest.fixture(params=BITS)
def bits(request):
    return request.param


@pytest.fixture
def packed(wide, bits, tmp_path):
    """Make runners whose long rows are packed."""

    def make(**options):
        options = {"spill_dir": tmp_path / "spill", "available": lambda: None, **options}
        return Runner(wide, long_kv_bits=bits, **options)

    return make


def long_pool(runner):
    return runner.pools._pool(max(runner.pools._pools))


def test_a_long_prompt_is_answered_as_with_mlx_lms_own_quantized_cache(wide, packed, bits):
    runner = packed()
    row = runner.submit(1, LONG, sampling=GREEDY)
    alone = stretch(wide, 2)
    cache = [QuantizedKVCache(group_size=64, bits=bits) for _ in alone.model.layers]
    theirs = generate(alone.model, alone.tokenizer, row.prompt, max_tokens=24, prompt_cache=cache)
    assert runner.run().text() == theirs.strip()


def test_rows_of_different_lengths_say_beside_each_other_what_they_say_alone(packed):
    prompts = {1: LONG, 2: f"Tell me of {LONG}", 3: f"{LONG} and {LONG}"[: len(LONG) + 900]}
    alone = {row: packed().one(prompt, sampling=GREEDY) for row, prompt in prompts.items()}
    runner = packed()
    for row, prompt in prompts.items():
        runner.submit(row, prompt, sampling=GREEDY)
    said = runner.run()
    assert [said.text(row=row) for row in prompts] == [alone[row].text() for row in prompts]


def parked(runner):
    """Park a long row in the middle of its answer; return what was said till then."""
    runner.submit(1, LONG, sampling=GREEDY)
    said = runner.run(until=lambda said: len(said.tokens.get(1, [])) >= 6)
    for event in runner.pools.park(1):
        said.event(event)
    return said


def test_a_row_that_was_parked_says_what_it_would_have_said(packed):
    whole = packed().one(LONG, sampling=GREEDY)
    runner = packed()
    said = parked(runner)
    runner.one(LONGER, row=2)
    runner.pools.resume(1)
    while not runner.pools.idle:
        said.hear(runner.pools.step())
    assert said.text() == whole.text()
    assert said.done[1] == whole.done[1]


def test_a_row_that_was_on_disk_says_what_it_would_have_said(packed):
    whole = packed().one(LONG, sampling=GREEDY)
    runner = packed()
    said = parked(runner)
    space = long_pool(runner)._space
    for held in list(space.held()):
        space.spill(held)
    runner.pools.resume(1)
    while not runner.pools.idle:
        said.hear(runner.pools.step())
    assert said.text() == whole.text()
    memory = runner.pools.memory()
    assert (memory.rows_spilled, memory.rows_resumed, memory.wasted_tokens) == (1, 1, 0)


def test_what_was_read_is_found_again_and_the_answer_is_the_same(packed):
    runner = packed(cache_bytes=1 << 30)
    first = runner.one(LONG, sampling=GREEDY)
    second = runner.one(LONG, row=2, sampling=GREEDY)
    assert second.done[2].cached_tokens > 590
    assert second.text(row=2) == first.text()


def test_what_is_read_ahead_of_a_long_conversation_is_packed_too(packed):
    runner = packed(cache_bytes=1 << 30)
    before = {"role": "system", "content": LONG}
    runner.pools.read_ahead(Ahead(owner="me", kind="history", messages=[before]))
    while runner.pools.ahead_pending:
        runner.pools.step_ahead()
    said = runner.one([before, {"role": "user", "content": SHORT}])
    assert said.done[1].cached_tokens > 590
    whole = packed().one([before, {"role": "user", "content": SHORT}])
    assert said.text() == whole.text()


def test_only_what_is_not_packed_goes_to_disk(wide, packed, tmp_path):
    disk = Disk(tmp_path / "caches", cache_key(wide), max_bytes=1 << 28, keep_s=1000)
    runner = packed(cache_bytes=1 << 30, disk=disk)
    for text, on_disk in ((LONG, False), ("word " * 100, True)):
        messages = [{"role": "system", "content": text}]
        ahead = Ahead(owner="me", kind="history", messages=messages, lasting=True)
        runner.pools.read_ahead(ahead)
        while runner.pools.ahead_pending:
            runner.pools.step_ahead()
        assert disk.flush(30)
        assert bool(disk.bytes) == on_disk


def test_a_cache_takes_as_many_bytes_as_are_forecast_for_it(packed, wide, bits):
    runner = packed()
    parked(runner)
    (held,) = long_pool(runner)._space.held()
    long = stretch(wide, 2, Packing(bits, 64))
    tokens = flat(held.cache)[0].keys.shape[2]
    assert held.bytes == tokens * long.kv_bytes_per_token
    # Scales and biases, 4 bytes each for 64 values, are one more bit.
    assert long.kv_bytes_per_token == wide.kv_bytes_per_token * (bits + 1) / 32


def test_the_forecast_holds_while_long_rows_run(packed):
    runner = packed()
    for row in (1, 2, 3):
        runner.submit(row, f"{row} {LONG}", sampling=GREEDY)
    said, ledger = Said(), runner.pools.ledger
    while not runner.pools.idle:
        said.hear(runner.pools.step())
        assert measured(runner) <= max(ledger.used_bytes, ledger.fixed_bytes)
    assert sorted(said.done) == [1, 2, 3]


def test_the_same_memory_holds_a_longer_context(wide, packed, bits):
    roomy = packed(memory_bytes=PLENTY)
    fixed_bytes = roomy.pools.ledger.fixed_bytes
    memory_bytes = fixed_bytes + 1400 * wide.kv_bytes_per_token
    plain = Runner(wide, memory_bytes=memory_bytes, available=lambda: None)
    assert plain.pools.context_tokens == 1400 - 256
    # One of its two layers is unpacked while it is read.
    share = (bits + 1) / 32 + 1 / 2
    assert packed(memory_bytes=memory_bytes).pools.context_tokens == pytest.approx(
        1400 / share - 256, abs=1
    )


def test_the_reply_of_a_long_conversation_says_so(packed, bits):
    (note,) = packed().one(LONG).done[1].notes
    assert f"{bits} bits" in note


def test_a_short_conversation_is_as_without_it(wide, packed):
    said = packed().one(SHORT, sampling=GREEDY)
    assert said.done[1].notes == []
    assert said.text() == Runner(wide).one(SHORT, sampling=GREEDY).text()


def test_without_the_setting_nothing_is_packed(wide):
    runner = Runner(wide)
    assert runner.one(LONG).done[1].notes == []
    assert runner.pools.long_kv_bits is None


def test_a_model_that_has_no_long_contexts_does_not_claim_to_pack_them(packed, bits):
    assert packed().pools.long_kv_bits == bits
    assert packed(yarn_factor=1).pools.long_kv_bits is None


def test_heads_that_cannot_be_divided_are_refused_by_the_settings_name(short_qwen3):
    with pytest.raises(ModelError, match=r"model.long_kv_bits: .*16 values.*multiple of 32"):
        Runner(load(short_qwen3), long_kv_bits=8)


def test_narrower_heads_have_smaller_groups():
    assert packing_of({"head_dim": 96}, 8) == Packing(8, 32)
    assert packing_of({"hidden_size": 576, "num_attention_heads": 9}, 4) == Packing(4, 64)


def test_what_is_packed_is_never_taken_for_what_is_not(wide):
    kinds = [wide, stretch(wide, 2), *(stretch(wide, 2, Packing(bits, 64)) for bits in BITS)]
    assert len({cache_key(kind) for kind in kinds}) == len(kinds)
    assert len({kind.fingerprint for kind in kinds}) == len(kinds)


def test_the_native_pool_of_such_a_model_is_never_packed(wide, bits):
    assert stretch(wide, 1, Packing(bits, 64)) is wide


def test_over_the_wire_the_card_and_the_replies_of_long_requests_say_so(
    wide_path, daemon_of, wire_of
):
    config = f'[model]\nname = "wide"\npath = "{wide_path}"\nlong_kv_bits = 8\n'
    daemon = daemon_of(config=config).start()
    wire = wire_of(daemon).listen(f"{daemon.root}/worker/{daemon.worker}/card")
    card = wire.wait(lambda m: m.topic.endswith("/card") and m.json["model"] is not None).json
    assert card["model"]["long_kv_bits"] == 8
    assert card["model"]["native_context_tokens"] == 512
    long = wire.ask({"prompt": LONG, "mode": "no_think", "max_tokens": 4})
    assert any("8 bits" in note for note in long["notes"])
    assert "notes" not in wire.ask({"prompt": SHORT, "mode": "no_think", "max_tokens": 4})
