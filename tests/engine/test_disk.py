"""What of a conversation survives a restart of the engine, and what is never believed."""

import stat

import mlx.core as mx
import pytest
from test_generation import GREEDY, maker_of
from test_long_context import Runner

from worker.engine import cache_files
from worker.engine.caches import arrays_of, dtype_of
from worker.engine.disk import Disk
from worker.engine.generation import Limits
from worker.engine.models import cache_key, load
from worker.engine.pipe import Ahead, Forget
from worker.engine.pools import Pools

WEEK_S = 7 * 86_400
LONG = "Here is a long introduction to cats and lighthouses. " * 6
SYSTEM = {"role": "system", "content": "You answer in one sentence and never lie. " * 5}
HISTORY = [
    SYSTEM,
    {"role": "user", "content": LONG},
    {"role": "assistant", "content": "Cats like lighthouses."},
]
NEXT = {"role": "user", "content": "And dogs?"}


@pytest.fixture(scope="module")
def qwen(tiny_qwen3):
    return load(tiny_qwen3)


class Life(Runner):
    """One life of an engine with a folder that outlives it."""

    def __init__(self, loaded, folder, *, key=None, max_bytes=1 << 28, keep_s=WEEK_S):
        self.disk = Disk(folder, key or cache_key(loaded), max_bytes=max_bytes, keep_s=keep_s)
        self.folder = folder
        limits = Limits(cache_bytes=1 << 28)
        self.pools = Pools(loaded, limits, disk=self.disk, maker=maker_of(loaded))

    def remember(self, messages=HISTORY, owner="me", session="talk", **fields):
        fields = {"kind": "history", "lasting": True, **fields}
        ahead = Ahead(owner=owner, session=session, messages=messages, **fields)
        self.pools.read_ahead(ahead)
        while self.pools.ahead_pending:
            self.pools.step_ahead()
        assert self.disk.flush(30)
        return self

    def ask(self, messages=(*HISTORY, NEXT), owner="me", row=1):
        self.submit(row, list(messages), owner=owner, sampling=GREEDY)
        return self.run()


def unread(said, row=1):
    return said.done[row].prompt_tokens - said.done[row].cached_tokens


def files(folder):
    return sorted(folder.iterdir())


def kept(life, owner):
    """The names of a client's files."""
    return {
        path.name
        for path in files(life.folder)
        if cache_files.read_header(path.open("rb").read).owner == owner
    }


def test_a_conversation_goes_on_after_a_restart_without_being_read_again(qwen, tmp_path):
    warm = Life(qwen, tmp_path).remember().ask()
    again = Life(qwen, tmp_path).ask()
    assert unread(again) < 16
    assert again.text() == warm.text() == Runner(qwen).one([*HISTORY, NEXT], sampling=GREEDY).text()


def test_each_turn_writes_only_what_is_new(qwen, tmp_path):
    life = Life(qwen, tmp_path).remember()
    first = life.disk.bytes
    more = [*HISTORY, NEXT, {"role": "assistant", "content": "Dogs like ships. " * 12}]
    life.remember(more)
    assert life.disk.bytes - first < first
    later = Life(qwen, tmp_path)
    assert unread(later.ask([*more, NEXT])) < 16


def test_other_clients_find_nothing(qwen, tmp_path):
    Life(qwen, tmp_path).remember()
    assert Life(qwen, tmp_path).ask(owner="you").done[1].cached_tokens == 0


def test_what_is_pinned_is_not_read_again_and_helps_only_while_it_is_pinned(qwen, tmp_path):
    pinned = {"owner": None, "kind": "pinned", "session": "", "messages": [SYSTEM]}
    Life(qwen, tmp_path).remember(**pinned)
    unpinned = Life(qwen, tmp_path)
    assert unpinned.ask().done[1].cached_tokens == 0
    later = Life(qwen, tmp_path).remember(**pinned)
    assert later.pools.recall.ahead.tokens_read == 0
    assert later.ask().done[1].cached_tokens > 0


def test_only_their_user_may_read_the_files(qwen, tmp_path):
    folder = tmp_path / "below" / "caches"
    Life(qwen, folder).remember()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in files(folder)} == {0o600}


def test_a_forgotten_sessions_files_are_deleted_and_no_other(qwen, tmp_path):
    life = Life(qwen, tmp_path).remember()
    other = [{"role": "user", "content": "Something else entirely. " * 20}]
    life.remember([*other, HISTORY[-1]], session="other", name="other")
    before = files(tmp_path)
    life.pools.forget(Forget("me", "talk"))
    assert len(files(tmp_path)) == len(before) - 1
    assert Life(qwen, tmp_path).ask().done[1].cached_tokens < 32
    life.pools.forget(Forget("me"))
    assert files(tmp_path) == []


def test_what_a_client_has_left_can_be_deleted_without_an_engine(qwen, tmp_path):
    folder = tmp_path / "model"
    life = Life(qwen, folder).remember().remember(owner="you")
    (mine,) = [path for path in files(folder) if path.name not in kept(life, "you")]
    assert cache_files.forget(tmp_path, "me", "other") == 0
    assert cache_files.forget(tmp_path, "me", "talk") == 1
    assert not mine.exists()
    again = Life(qwen, folder)
    assert again.ask().done[1].cached_tokens == 0
    assert again.ask(owner="you").done[1].cached_tokens > 0
    # An engine that is at work there finds it gone, and reads the prompt again.
    resident = Life(qwen, folder)
    assert cache_files.forget(tmp_path, "you") == 1
    assert files(folder) == []
    assert resident.ask(owner="you").done[1].cached_tokens == 0


@pytest.mark.parametrize("place", [-1, 200, 20])
def test_a_damaged_file_is_deleted_and_its_prompt_read_again(qwen, tmp_path, place):
    Life(qwen, tmp_path).remember()
    (path,) = files(tmp_path)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    said = Life(qwen, tmp_path).ask()
    assert said.done[1].cached_tokens == 0
    assert said.text() == Runner(qwen).one([*HISTORY, NEXT], sampling=GREEDY).text()
    assert files(tmp_path) == []


def test_a_file_that_was_cut_is_deleted(qwen, tmp_path):
    Life(qwen, tmp_path).remember()
    (path,) = files(tmp_path)
    path.write_bytes(path.read_bytes()[:-1000])
    assert Life(qwen, tmp_path).ask().done[1].cached_tokens == 0
    assert files(tmp_path) == []


def test_what_was_written_for_another_model_is_deleted(qwen, tmp_path):
    Life(qwen, tmp_path).remember()
    assert Life(qwen, tmp_path, key="another").ask().done[1].cached_tokens == 0
    assert files(tmp_path) == []


@pytest.mark.parametrize("change", ["weights", "template", "quantization"])
def test_a_changed_model_is_another(qwen, tmp_path, tiny_qwen3, change):
    import tiny_qwen3 as tiny

    folder = tmp_path / "model"
    if change == "quantization":
        tiny.quantized(tiny_qwen3, folder)
    else:
        tiny.make(folder, tiny_qwen3, seed=int(change == "weights"))
    if change == "template":
        config = folder / "tokenizer_config.json"
        config.write_text(config.read_text().replace("# Tools", "# Functions"))
    assert cache_key(load(folder)) != cache_key(qwen)


def test_the_folder_keeps_to_its_bytes_and_lets_go_of_what_is_oldest(qwen, tmp_path):
    one = Life(qwen, tmp_path / "one").remember().disk.bytes
    life = Life(qwen, tmp_path / "many", max_bytes=int(one * 2.5))
    for number in range(4):
        messages = [{"role": "user", "content": f"{number} {LONG}"}, HISTORY[-1]]
        life.remember([SYSTEM | {"content": f"{number}" * 40}, *messages], name=str(number))
        assert life.disk.bytes <= one * 2.5
    assert 0 < len(files(tmp_path / "many")) < 4


def test_what_nobody_has_used_for_long_is_deleted(qwen, tmp_path):
    Life(qwen, tmp_path).remember()
    Life(qwen, tmp_path, keep_s=0)
    assert files(tmp_path) == []


def test_half_precision_comes_back_bit_for_bit(qwen, tmp_path):
    from mlx_lm.models.cache import KVCache

    from worker.engine.caches import Caches

    layer = KVCache()
    values = mx.random.normal((1, 2, 40, 16)).astype(mx.bfloat16)
    layer.update_and_fetch(values, values * 2)
    disk = Disk(tmp_path, "key", max_bytes=1 << 20, keep_s=WEEK_S)
    tokens = list(range(40))
    disk.keep("me", tokens, "", dtype_of([layer]), lambda begin: arrays_of([layer], begin, 40))
    assert disk.flush(30)
    caches = Caches(1 << 20)
    loaded = Disk(tmp_path, "key", max_bytes=1 << 20, keep_s=WEEK_S).load("me", tokens, 0)
    caches.restore("me", loaded)
    (found,), known = caches.find("me", [*tokens, 99])
    assert known == 40
    assert found.keys.dtype == mx.bfloat16
    assert mx.array_equal(found.values, values * 2)
