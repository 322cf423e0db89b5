"""The page of a module's own reproduction."""

from __future__ import annotations

import html
import re

import pytest

import funcnn
from funcnn.interop import torch_step

torch = pytest.importorskip("torch")
for package in ("jinja2", "matplotlib", "pygments"):
    pytest.importorskip(package)
nn = torch.nn


def plain(page):
    return html.unescape(re.sub(r"<[^>]*>", "", page.read_text()))


@pytest.fixture(scope="module")
def made():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    data = torch.randn(8, 3).double(), torch.randn(8, 1).double()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    return net, data, optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 3)


@pytest.mark.slow
def test_a_module_has_a_page_with_its_parts_and_its_losses(made, tmp_path):
    net, data, optimizer, scheduler = made
    found = funcnn.reproduce(
        net,
        data,
        loss=nn.MSELoss(),
        optimizer=optimizer,
        scheduler=scheduler,
        steps=5,
        batch_size=4,
    )
    page = found.report(tmp_path / "new" / "page")
    assert page == tmp_path / "new" / "page" / "index.html"
    text = plain(page)
    assert "Sequential gives the losses of its reference" in text
    assert "(0): Linear(in_features=3, out_features=4, bias=True)" in text
    assert "StepLR" in text
    for line in ("loss=MSELoss(),", "scheduler=scheduler,", "batch_size=4,", "steps=5,"):
        assert line in text
    assert f"{found.losses[0]:.4g}" in text
    assert page.read_text().count("<svg") == 1
    assert not re.search(r'(src|href)="http', page.read_text())


def test_the_page_of_a_step_shows_it(made, tmp_path):
    net, data, optimizer, _ = made

    def function(x, y):
        optimizer.zero_grad()
        loss = nn.functional.l1_loss(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step = torch_step(net, optimizer, function)
    text = plain(funcnn.reproduce(step, data, steps=3).report(tmp_path))
    assert "loss = nn.functional.l1_loss(net(x), y)" in text
    assert "    step,\n    (x, y),\n    steps=3," in text


def test_a_page_of_one_experiment_shows_both_codes_and_what_differs(tmp_path):
    one = funcnn.reproduce("sine/numpy", steps=3)
    one.reference_losses[1] *= 2
    text = plain(one.report(tmp_path))
    assert "sine/numpy gives other losses than its reference" in text
    assert "✗ differs" in text
    assert "The reference" in text
    assert "funcnn.train(" in text
