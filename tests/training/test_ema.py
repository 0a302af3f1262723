"""Running means of weights."""

import pytest
import torch
from torch import nn

from stemsplit.training.ema import WeightAverage


@pytest.fixture
def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def fill(network: nn.Module, value: float) -> None:
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(value)


def test_the_mean_is_that_of_what_was_seen(network: nn.Module) -> None:
    average = WeightAverage(network, 0.5)
    fill(network, 1.0)
    average.update()
    torch.testing.assert_close(average.weights["0.weight"], torch.ones(2, 3))
    fill(network, 4.0)
    average.update()
    # (0.5 * 1 + 4) / (0.5 + 1): the initial weights, which were never updated on, do not count.
    torch.testing.assert_close(average.weights["0.weight"], torch.full((2, 3), 3.0))


def test_a_slow_mean_after_many_steps_is_the_usual_one(network: nn.Module) -> None:
    average = WeightAverage(network, 0.9)
    expected = 0.0
    for step in range(200):
        fill(network, float(step % 7))
        average.update()
        expected = 0.9 * expected + 0.1 * (step % 7)
    torch.testing.assert_close(
        average.weights["0.bias"], torch.full((2,), expected), rtol=1e-5, atol=1e-5
    )


def test_several_means_do_not_touch_each_other_nor_the_network(network: nn.Module) -> None:
    quick, slow = WeightAverage(network, 0.1), WeightAverage(network, 0.9)
    for value in (1.0, 2.0):
        fill(network, value)
        quick.update()
        slow.update()
    assert quick.weights["0.weight"][0, 0] > slow.weights["0.weight"][0, 0]
    assert network.state_dict()["0.weight"][0, 0] == 2.0


def test_swapping_in_gives_the_mean_and_then_the_weights_back(network: nn.Module) -> None:
    average = WeightAverage(network, 0.5)
    for value in (1.0, 4.0):
        fill(network, value)
        average.update()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with average.swapped_in():
        torch.testing.assert_close(network.state_dict()["0.weight"], torch.full((2, 3), 3.0))
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_the_weights_come_back_after_a_failure(network: nn.Module) -> None:
    average = WeightAverage(network, 0.5)
    fill(network, 7.0)
    with pytest.raises(KeyError), average.swapped_in():
        raise KeyError
    assert network.state_dict()["0.weight"][0, 0] == 7.0


def test_what_is_no_floating_point_number_is_the_networks(network: nn.Module) -> None:
    average = WeightAverage(network, 0.5)
    network(torch.ones(4, 3))
    average.update()
    assert average.weights["1.num_batches_tracked"] == 1
    assert average.weights.keys() == network.state_dict().keys()


def test_a_state_goes_on_where_it_was(network: nn.Module) -> None:
    one = WeightAverage(network, 0.9)
    fill(network, 1.0)
    one.update()
    state = one.state_dict()
    two = WeightAverage(network, 0.9)
    two.load_state_dict(state)
    fill(network, 2.0)
    one.update()
    two.update()
    for name, value in one.weights.items():
        assert torch.equal(value, two.weights[name])
    with pytest.raises(ValueError, match="another decay"):
        WeightAverage(network, 0.5).load_state_dict(state)
