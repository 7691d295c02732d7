"""The losses and their gradients equal those of their formulas over all logits."""

import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from finscribe_core.trainer_config import LossSpec
from finscribe_trainer.loss import cross_entropy
from finscribe_trainer.loss.token_losses import summed_loss

TOKENS, VOCABULARY = 13, 7


def plain(logits, targets, weights):
    right = functional.log_softmax(logits, -1)[torch.arange(len(targets)), targets]
    return -(weights * right).sum()


def focal(alpha, gamma):
    def loss(logits, targets, weights):
        p = logits.softmax(-1)[torch.arange(len(targets)), targets]
        return -(weights * alpha * (1 - p) ** gamma * p.log()).sum()

    return loss


def smoothed(share):
    def loss(logits, targets, weights):
        wanted = functional.one_hot(targets, VOCABULARY) * (1 - share) + share / VOCABULARY
        return -(weights[:, None] * wanted * functional.log_softmax(logits, -1)).sum()

    return loss


CASES = {
    "plain": (LossSpec(), plain),
    "focal": (LossSpec(use_focal=True, focal_alpha=0.5, focal_gamma=2.0), focal(0.5, 2.0)),
    "focal, a root": (LossSpec(use_focal=True, focal_gamma=0.5), focal(1.0, 0.5)),
    "focal without effect": (LossSpec(use_focal=True, focal_gamma=0.0), plain),
    "smoothed": (LossSpec(use_label_smoothing=True, label_smoothing=0.1), smoothed(0.1)),
    "smoothed without effect": (LossSpec(use_label_smoothing=True, label_smoothing=0.0), plain),
}


@pytest.fixture(params=[1, 4, TOKENS], ids=lambda size: f"{size} tokens a chunk")
def chunk(request, monkeypatch):
    monkeypatch.setitem(cross_entropy.CHUNK_LOGITS, "cpu", request.param * VOCABULARY)


@pytest.fixture
def tokens():
    """Logits, targets and weights of some tokens."""
    torch.manual_seed(1)
    logits = (3 * torch.randn(TOKENS, VOCABULARY, dtype=torch.float64)).requires_grad_()
    return logits, torch.randint(VOCABULARY, (TOKENS,)), torch.rand(TOKENS, dtype=torch.float64) + 0.5


@pytest.mark.parametrize("name", CASES)
def test_loss_and_gradient_equal_the_formula(name, tokens, chunk):
    spec, formula = CASES[name]
    logits, targets, weights = tokens
    expected = formula(logits, targets, weights)
    (gradient,) = torch.autograd.grad(expected, logits)
    found = summed_loss(logits * 1, targets, weights, spec)  # a copy: the backward pass overwrites it
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.autograd.grad(3 * found, logits)[0], 3 * gradient)


@pytest.mark.parametrize("name", CASES)
def test_gradients_equal_finite_differences(name, tokens, chunk):
    spec, _ = CASES[name]
    logits, targets, weights = tokens
    (gradient,) = torch.autograd.grad(summed_loss(logits * 1, targets, weights, spec), logits)
    small = 1e-6 * torch.eye(logits.numel(), dtype=logits.dtype).view(-1, *logits.shape)
    with torch.no_grad():
        above, below = (
            [summed_loss(logits + sign * change, targets, weights, spec) for change in small]
            for sign in (1, -1)
        )
    expected = (torch.stack(above) - torch.stack(below)).view_as(logits) / 2e-6
    torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-8)


def test_a_second_backward_pass_over_the_same_logits_is_rejected(tokens):
    loss = summed_loss(tokens[0] * 1, tokens[1], tokens[2], None)
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_without_weights_each_token_has_weight_one(tokens):
    logits, targets, _ = tokens
    expected = functional.cross_entropy(logits, targets, reduction="sum")
    torch.testing.assert_close(summed_loss(logits, targets, None, None), expected)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("value", [-1000.0, 1000.0], ids=["surely wrong", "surely right"])
def test_focal_loss_has_a_finite_gradient_at_its_limits(gamma, value):
    logits = torch.tensor([[value, 0.0, 0.0]], requires_grad=True)
    summed_loss(logits, torch.tensor([0]), None, LossSpec(use_focal=True, focal_gamma=gamma)).backward()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_logits_are_summed_in_float32(tokens, dtype):
    logits, targets, weights = tokens
    half = logits.detach().to(dtype).requires_grad_()
    exact = half.detach().float().requires_grad_()
    found, expected = (summed_loss(each * 1, targets, weights, None) for each in (half, exact))
    assert found.dtype is torch.float32
    torch.testing.assert_close(found, expected)
    (gradient,) = torch.autograd.grad(found, half)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, exact)[0].to(dtype))


class LargestFloat32(TorchDispatchMode):
    """Records the size of the largest float32 tensor that an operation returns."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.dtype is torch.float32:
            self.numbers = max(self.numbers, result.numel())
        return result


@pytest.mark.parametrize("name", CASES)
def test_the_full_logits_are_never_float32(name, tokens, monkeypatch):
    monkeypatch.setitem(cross_entropy.CHUNK_LOGITS, "cpu", 2 * VOCABULARY)
    logits = tokens[0].detach().bfloat16().requires_grad_()
    with LargestFloat32() as largest:
        summed_loss(logits, tokens[1], None, CASES[name][0]).backward()
    assert 0 < largest.numbers <= 2 * VOCABULARY


def test_a_batch_without_answer_tokens_has_zero_loss():
    logits = torch.zeros(0, VOCABULARY, requires_grad=True)
    loss = summed_loss(logits, torch.zeros(0, dtype=torch.long), None, None)
    loss.backward()
    assert loss.item() == 0.0
