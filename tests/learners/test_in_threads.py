"""Parts in threads of their own: in order, with their share of PyTorch's threads, which come back even after an error."""

import threading

import pytest
import torch

from metarl.learners.in_threads import in_threads

CPU = torch.device("cpu")


@pytest.fixture
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("four_threads")
@pytest.mark.parametrize(("count", "parts", "share"), [(10, 4, 1), (3, 3, 1), (2, 2, 2), (1, 1, 4)])
def test_parts_are_made_in_order_with_their_share_of_threads(count, parts, share):
    def work(part):
        return list(range(count))[part], torch.get_num_threads(), threading.get_ident()

    made = in_threads(work, count, CPU)
    assert [i for own, _, _ in made for i in own] == list(range(count))
    assert [threads for _, threads, _ in made] == [share] * parts
    assert (threading.get_ident() in {ident for _, _, ident in made}) == (parts == 1)
    assert torch.get_num_threads() == 4


@pytest.mark.usefixtures("four_threads")
def test_threads_come_back_after_an_error():
    def work(part):
        raise RuntimeError(f"on purpose, from {part.start}")

    with pytest.raises(RuntimeError, match="on purpose, from 0"):
        in_threads(work, 4, CPU)
    assert torch.get_num_threads() == 4


@pytest.mark.usefixtures("four_threads")
def test_a_gpu_gets_everything_at_once():
    assert in_threads(lambda part: part, 8, torch.device("cuda")) == [slice(0, 8)]
