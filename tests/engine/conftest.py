"""The models of the engine's tests; the BLAS is loaded before any of them imports mlx."""

import pytest

from worker.engine import blas

blas.prepare()


@pytest.fixture(scope="session")
def embedded_path():
    """The embedded model, where `make setup` put it."""
    from worker.engine.models import ensure_embedded
    from worker.settings import load

    return ensure_embedded(load().data_dir)


@pytest.fixture(scope="session")
def smollm2_path(tmp_path_factory):
    """SmolLM2 as it came, which doesn't think by itself."""
    from worker.engine import gguf

    return gguf.convert(tmp_path_factory.mktemp("models") / "smollm2", dual_mode=False)


@pytest.fixture(scope="session")
def tiny_qwen3(tmp_path_factory, smollm2_path):
    """A tiny model that behaves around its words as Qwen3 does."""
    import tiny_qwen3

    return tiny_qwen3.make(tmp_path_factory.mktemp("models") / "tiny-qwen3", smollm2_path)


@pytest.fixture
def tiny_daemon(daemon_of, tiny_qwen3, monkeypatch):
    """Start a daemon that has the tiny model: `tiny_daemon(more="[engine]...")`."""
    # In a group the metrics come every second.
    monkeypatch.setenv("THINKQ_TOPICS__GROUP", "house")

    def start(more=""):
        config = f'[model]\nname = "tiny"\npath = "{tiny_qwen3}"\n{more}'
        return daemon_of(config=config).start()

    return start


@pytest.fixture(scope="session")
def short_qwen3(tmp_path_factory, smollm2_path):
    """One that reads 512 tokens as it is, so that YaRN begins early."""
    import tiny_qwen3

    folder = tmp_path_factory.mktemp("models") / "short-qwen3"
    return tiny_qwen3.make(folder, smollm2_path, max_position_embeddings=512)
