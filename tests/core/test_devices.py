import pytest
import torch

from metarl.core.arguments import check_device


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu")])
def test_the_cpu_is_everywhere(device):
    check_device(device)


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "mps", "meta", "", "tpu", None])
def test_unknown_devices_are_refused(device):
    with pytest.raises(ValueError, match="cpu"):
        check_device(device)


def test_a_cuda_device_that_isnt_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="no CUDA device here.*choose cpu"):
        check_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_device("cuda:1")
    with pytest.raises(ValueError, match="cuda:0 to cuda:1"):
        check_device("cuda:2")
