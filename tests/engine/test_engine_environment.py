"""What an engine's process is started with besides our own environment."""

from worker.engine.supervisor import MEMORY_SETTINGS, environment


def test_an_engine_gives_large_blocks_back_to_the_system():
    assert environment({"HOME": "/root"}) == {"HOME": "/root", **MEMORY_SETTINGS}


def test_what_the_operator_has_set_for_the_allocator_stands():
    ours = dict.fromkeys(MEMORY_SETTINGS, "65536")
    assert environment(ours) == ours
