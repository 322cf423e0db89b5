"""What ``funcnn train mlp`` does, in PyTorch with ``torch.optim``.

Source: "Two fully connected layers", section 4.
"""

import torch

x = torch.randn(64, 1000)
y = torch.randn(64, 10)
w1 = torch.randn(1000, 100, requires_grad=True)
w2 = torch.randn(100, 10, requires_grad=True)
optimizer = torch.optim.SGD([w1, w2], lr=1e-6)

for step in range(500):
    y_pred = x.mm(w1).clamp(min=0).mm(w2)
    loss = (y_pred - y).pow(2).sum()
    if step % 50 == 0:
        print(step, loss.item())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
