# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Networks in PyTorch, their parts named as in torchvision and timm.

Narrow and shallow where a test wants them so. Imported where PyTorch is.
"""

import torch
from torch import nn
import torch.nn.functional as F


class Block(nn.Module):
  """A residual block of torchvision's ResNet."""

  def __init__(self, inputs, channels, stride, bottleneck):
    super().__init__()
    layers = [(channels, 3, stride), (channels, 3, 1)]
    if bottleneck:
      layers = [(channels, 1, 1), (channels, 3, stride), (4 * channels, 1, 1)]
    self.count, self.downsample, width = len(layers), None, inputs
    for i, (outputs, size, step) in enumerate(layers, 1):
      layer = nn.Conv2d(width, outputs, size, step, size // 2, bias=False)
      setattr(self, f'conv{i}', layer)
      setattr(self, f'bn{i}', nn.BatchNorm2d(outputs))
      width = outputs
    if stride > 1 or inputs != width:
      self.downsample = nn.Sequential(
        nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width)
      )

  def forward(self, x):
    y = x
    for i in range(1, self.count + 1):
      y = getattr(self, f'bn{i}')(getattr(self, f'conv{i}')(y))
      y = F.relu(y) if i < self.count else y
    return F.relu(y + (self.downsample(x) if self.downsample else x))


class ResNet(nn.Module):
  def __init__(self, stage_sizes, bottleneck, small_images, width):
    super().__init__()
    self.small_images, self.stages = small_images, len(stage_sizes)
    stem = (3, 1, 1) if small_images else (7, 2, 3)
    self.conv1 = nn.Conv2d(3, width, *stem, bias=False)
    self.bn1 = nn.BatchNorm2d(width)
    inputs, expansion = width, 4 if bottleneck else 1
    for i, count in enumerate(stage_sizes):
      blocks = []
      for j in range(count):
        stride = 2 if i and not j else 1
        blocks.append(Block(inputs, width * 2**i, stride, bottleneck))
        inputs = width * 2**i * expansion
      setattr(self, f'layer{i + 1}', nn.Sequential(*blocks))
    self.fc = nn.Linear(inputs, 5)

  def features(self, x):
    x = F.relu(self.bn1(self.conv1(x)))
    x = x if self.small_images else F.max_pool2d(x, 3, 2, 1)
    for i in range(self.stages):
      x = getattr(self, f'layer{i + 1}')(x)
    return x

  def forward(self, x):
    return self.fc(self.features(x).mean((2, 3)))


class VGG(nn.Module):
  """With BatchNorm; the classifier is one layer here, that of pooled maps."""

  def __init__(self, stage_sizes, widths):
    super().__init__()
    layers, inputs = [], 3
    for count, width in zip(stage_sizes, widths, strict=True):
      for _ in range(count):
        layers += [nn.Conv2d(inputs, width, 3, padding=1)]
        layers += [nn.BatchNorm2d(width), nn.ReLU()]
        inputs = width
      layers.append(nn.MaxPool2d(2, 2))
    self.features = nn.Sequential(*layers)
    self.classifier = nn.Sequential(nn.Linear(inputs, 5))

  def forward(self, x):
    return self.classifier(self.features(x).mean((2, 3)))


class Attention(nn.Module):
  def __init__(self, width, num_heads):
    super().__init__()
    self.num_heads = num_heads
    self.qkv = nn.Linear(width, 3 * width)
    self.proj = nn.Linear(width, width)

  def forward(self, x):
    count, tokens, width = x.shape
    joint = self.qkv(x).reshape(count, tokens, 3, self.num_heads, -1)
    query, key, value = joint.permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(query, key, value)
    return self.proj(mixed.transpose(1, 2).reshape(count, tokens, width))


class Layer(nn.Module):
  def __init__(self, width, num_heads):
    super().__init__()
    self.norm1 = nn.LayerNorm(width, eps=1e-6)
    self.attn = Attention(width, num_heads)
    self.norm2 = nn.LayerNorm(width, eps=1e-6)
    self.mlp = nn.Module()
    self.mlp.fc1 = nn.Linear(width, 4 * width)
    self.mlp.fc2 = nn.Linear(4 * width, width)

  def forward(self, x):
    x = x + self.attn(self.norm1(x))
    return x + self.mlp.fc2(F.gelu(self.mlp.fc1(self.norm2(x))))


class ViT(nn.Module):
  def __init__(self, patch_size, width, depth, num_heads, image_size):
    super().__init__()
    patches = (image_size // patch_size) ** 2
    self.cls_token = nn.Parameter(torch.randn(1, 1, width))
    self.pos_embed = nn.Parameter(torch.randn(1, 1 + patches, width))
    self.patch_embed = nn.Module()
    self.patch_embed.proj = nn.Conv2d(3, width, patch_size, patch_size)
    self.blocks = nn.Sequential(
      *(Layer(width, num_heads) for _ in range(depth))
    )
    self.norm = nn.LayerNorm(width, eps=1e-6)
    self.head = nn.Linear(width, 5)

  def features(self, x):
    x = self.patch_embed.proj(x).flatten(2).transpose(1, 2)
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1)
    x = self.norm(self.blocks(x + self.pos_embed))
    return x[:, 0, :, None, None]

  def forward(self, x):
    return self.head(self.features(x)[:, :, 0, 0])


def randomise(module: nn.Module) -> nn.Module:
  """Every bias, scale and statistic away from its neutral value."""
  with torch.no_grad():
    for name, tensor in module.state_dict().items():
      if name.endswith('running_var'):
        tensor.uniform_(0.5, 2)
      elif tensor.ndim == 1:
        tensor.add_(0.3 * torch.randn(tensor.shape))
  return module.eval()
