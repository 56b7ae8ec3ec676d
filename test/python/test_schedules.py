# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Schedules of learning rates and second thresholds, against PyTorch where it has them."""

import pytest

from spikeloom.errors import UsageError
from spikeloom.schedules import parse_rate_schedule, parse_threshold_schedule

torch = pytest.importorskip("torch")


def torch_factors(make, count: int) -> list[float]:
    """Factors of a scheduler of PyTorch, one a call of its step()."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    result = []
    for _ in range(count):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return result


def test_constant():
    assert [parse_rate_schedule("constant").at(step, 4, 20) for step in (0, 7, 19)] == [1, 1, 1]


def test_step_is_that_of_pytorch():
    ours = [parse_rate_schedule("step:2:0.5").at(4 * epoch + 3, 4, 24) for epoch in range(6)]
    assert ours == torch_factors(lambda o: torch.optim.lr_scheduler.StepLR(o, 2, 0.5), 6)


def test_cosine_is_that_of_pytorch():
    ours = [parse_rate_schedule("cosine").at(step, 4, 20) for step in range(20)]
    assert ours == pytest.approx(torch_factors(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 20), 20))


def test_cosine_with_warm_up_rises_then_falls():
    schedule = parse_rate_schedule("cosine:4")
    factors = [schedule.at(step, 5, 20) for step in range(20)]
    assert factors[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert factors[4:] == sorted(factors[4:], reverse=True)
    assert 0 < factors[-1] < 0.02


def test_warm_up_longer_than_the_training():
    assert parse_rate_schedule("cosine:100").at(19, 5, 20) == pytest.approx(20 / 101)


@pytest.mark.parametrize("text", ["linear", "step", "step:0:0.5", "step:2:-1", "step:2:nan", "cosine:-1", "cosine:x"])
def test_unknown_schedules(text):
    with pytest.raises(UsageError, match=f"schedule '{text}' is not known; constant, step:EVERY:FACTOR"):
        parse_rate_schedule(text)


def test_second_thresholds():
    assert [parse_threshold_schedule("0.9").at(epoch, 3) for epoch in (1, 2, 3)] == [0.9] * 3
    assert [parse_threshold_schedule("0.5:0.9").at(epoch, 5) for epoch in range(1, 6)] == pytest.approx(
        [0.5, 0.6, 0.7, 0.8, 0.9]
    )
    assert parse_threshold_schedule("0.5:0.9").at(1, 1) == 0.9
    with pytest.raises(UsageError, match="second threshold '0.5:x': a share F, or FIRST:LAST"):
        parse_threshold_schedule("0.5:x")
