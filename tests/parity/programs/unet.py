"""A small U-Net: down with pooling, up with transposed convolutions or bilinear, pads and skips, dice and BCE."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class DoubleConv(nn.Module):
    """Twice a convolution, a batch norm and ReLU."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)


class Up(nn.Module):
    """Scales up, pads to the other's size, and joins."""

    def __init__(self, in_channels, out_channels, bilinear):
        super().__init__()
        if bilinear:
            self.up = nn.Sequential(
                nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
                nn.Conv2d(in_channels, in_channels // 2, 1),
            )
        else:
            self.up = nn.ConvTranspose2d(in_channels, in_channels // 2, kernel_size=2, stride=2)
        self.conv = DoubleConv(in_channels, out_channels)

    def forward(self, x1, x2):
        x1 = self.up(x1)
        diff_y = x2.size()[2] - x1.size()[2]
        diff_x = x2.size()[3] - x1.size()[3]
        x1 = F.pad(x1, [diff_x // 2, diff_x - diff_x // 2, diff_y // 2, diff_y - diff_y // 2])
        return self.conv(torch.cat([x2, x1], dim=1))


class UNet(nn.Module):
    """Two levels down and up."""

    def __init__(self, bilinear):
        super().__init__()
        self.inc = DoubleConv(1, 4)
        self.down1 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(4, 8))
        self.down2 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(8, 16))
        self.up1 = Up(16, 8, bilinear)
        self.up2 = Up(8, 4, bilinear)
        self.outc = nn.Conv2d(4, 1, kernel_size=1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        return self.outc(self.up2(self.up1(x3, x2), x1))


def dice_loss(input, target, epsilon=1e-6):
    """Returns one minus twice the overlap over the sum."""
    inter = 2 * (input * target).sum((-1, -2))
    sets = input.sum((-1, -2)) + target.sum((-1, -2))
    sets = torch.where(sets == 0, inter, sets)
    return 1 - ((inter + epsilon) / (sets + epsilon)).mean()


torch.manual_seed(0)
grid = torch.stack(torch.meshgrid(torch.arange(22.0), torch.arange(18.0), indexing="ij"))
centres = torch.rand(16, 2, 1, 1) * 12 + 3
masks = ((grid - centres).pow(2).sum(1) < 16).float()
images = (masks + 0.4 * torch.randn(16, 22, 18)).unsqueeze(1)
for bilinear in (False, True):
    model = UNet(bilinear).to(memory_format=torch.channels_last)
    optimizer = torch.optim.RMSprop(
        model.parameters(), lr=1e-4, weight_decay=1e-8, momentum=0.9, eps=1e-4, foreach=True
    )
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "max", patience=2)
    for step in range(20):
        batch = slice((step % 4) * 4, (step % 4) * 4 + 4)
        masks_pred = model(images[batch].to(memory_format=torch.channels_last))
        loss = F.binary_cross_entropy_with_logits(masks_pred.squeeze(1), masks[batch])
        loss += dice_loss(torch.sigmoid(masks_pred.squeeze(1)), masks[batch])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step(-loss.item())
        print(f"{loss.item():.6f}")
