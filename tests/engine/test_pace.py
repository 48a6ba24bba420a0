"""How long a chunk of prompt may keep an arrival waiting."""

from worker.engine.pace import LEAST_TOKENS, PAUSE_S, Pace


def paced(tokens_per_s):
    pace = Pace(busy_tokens=256, idle_tokens=2048)
    pace.note(int(tokens_per_s), 1.0)
    return pace


def test_a_chunk_of_batch_work_takes_no_longer_than_the_pause():
    assert paced(400).chunk(decoding=False, patient=True) == int(400 * PAUSE_S)


def test_it_is_never_so_short_that_reading_gets_slow():
    assert paced(20).chunk(decoding=True, patient=True) == LEAST_TOKENS


def test_a_fast_engine_reads_what_it_may():
    assert paced(20_000).chunk(decoding=False, patient=True) == 2048
    assert paced(20_000).chunk(decoding=True, patient=True) == 256


def test_what_somebody_waits_for_is_read_at_once():
    assert paced(100).chunk(decoding=False, patient=False) == 2048


def test_a_few_tokens_say_nothing_of_the_speed():
    pace = Pace(busy_tokens=256, idle_tokens=2048)
    pace.note(1, 1.0)
    assert pace.chunk(decoding=False, patient=True) == 2048
