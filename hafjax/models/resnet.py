# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Residual networks, as most published weights want them."""

import functools
from typing import Any

from flax import linen as nn
import jax.numpy as jnp

from hafjax.models.conv import FAN_OUT
from hafjax.models.conv import conv


class Block(nn.Module):
  """Convolutions with BatchNorm, and a shortcut that is added at the end.

  Two of 3x3; or, as a bottleneck, of 1x1, 3x3 and 1x1, the last four times as
  wide. The stride is in the first 3x3: in a bottleneck that is 'v1.5', where
  the paper has it in the first 1x1.
  """

  channels: int
  stride: int
  bottleneck: bool
  conv: Any
  norm: Any

  @nn.compact
  def __call__(self, x):
    layers = [(self.channels, 3, self.stride), (self.channels, 3, 1)]
    if self.bottleneck:
      layers = [
        (self.channels, 1, 1),
        (self.channels, 3, self.stride),
        (4 * self.channels, 1, 1),
      ]
    y = x
    for number, (channels, size, stride) in enumerate(layers, 1):
      y = self.conv(channels, size, stride, name=f'conv{number}')(y)
      y = self.norm(name=f'norm{number}')(y)
      if number < len(layers):
        y = nn.relu(y)
    if self.stride != 1 or x.shape[-1] != y.shape[-1]:
      x = self.conv(y.shape[-1], 1, self.stride, name='shortcut')(x)
      x = self.norm(name='shortcut_norm')(x)
    return nn.relu(x + y)


class ResNet(nn.Module):
  """ResNet (He et al., arXiv 1512.03385), as in torchvision.

  Attributes:
    stage_sizes: blocks in each stage; every stage but the first halves the map.
    bottleneck: whether blocks are bottlenecks (depth 50) or not (18, 34).
    small_images: whether the stem is that of CIFAR, a 3x3 convolution, in the
      place of a 7x7 of stride 2 and max-pooling.
    width: channels of the first stage (before a bottleneck's widening); every
      stage doubles them.
    dtype: of computation; parameters and statistics are float32.
    bn_momentum: decay of BatchNorm's running statistics.
  """

  stage_sizes: tuple[int, ...]
  bottleneck: bool = False
  small_images: bool = False
  width: int = 64
  dtype: Any = jnp.float32
  bn_momentum: float = 0.9

  @nn.compact
  def __call__(self, images, train: bool):
    """[B, h, w, c] -> (feature map [B, h', w', C], intermediates).

    In four stages h' is h/32, or h/8 with the stem for small images, rounded
    up; C is 8 times the width, or 32 times of bottlenecks.
    """
    convolution = functools.partial(conv, dtype=self.dtype, kernel_init=FAN_OUT)
    norm = functools.partial(
      nn.BatchNorm,
      use_running_average=not train,
      momentum=self.bn_momentum,
      dtype=self.dtype,
    )
    size, stride = (3, 1) if self.small_images else (7, 2)
    x = convolution(self.width, size, stride, name='conv1')(
      images.astype(self.dtype)
    )
    x = nn.relu(norm(name='norm1')(x))
    if not self.small_images:
      x = nn.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))
    out = {'stem': x}
    for stage, num_blocks in enumerate(self.stage_sizes, 1):
      for block in range(1, num_blocks + 1):
        x = Block(
          self.width * 2 ** (stage - 1),
          2 if stage > 1 and block == 1 else 1,
          self.bottleneck,
          conv=convolution,
          norm=norm,
          name=f'stage{stage}_block{block}',
        )(x)
      out[f'stage{stage}'] = x
    return x, out
