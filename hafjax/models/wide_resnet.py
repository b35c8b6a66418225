# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Wide residual networks for small images."""

import functools
from typing import Any

from flax import linen as nn
import jax.numpy as jnp

from hafjax.models.conv import FAN_OUT
from hafjax.models.conv import conv

_GROUP_STRIDES = (1, 2, 2)


def check(depth: int, width: int):
  """Raises ValueError if there is no such network."""
  if depth < 10 or (depth - 4) % 6:
    raise ValueError(
      f'A WideResNet has depth 10, 16, 22, 28, ... (6 n + 4), got {depth}.'
    )
  if width < 1:
    raise ValueError(f'A WideResNet has width of at least 1, got {width}.')


class Block(nn.Module):
  """Two 3x3 convolutions, each after BatchNorm and activation, and a shortcut.

  Where the shape changes, the shortcut is a 1x1 convolution of the *activated*
  input; elsewhere it is the input itself.
  """

  channels: int
  stride: int
  conv: Any
  norm: Any
  activation: Any

  @nn.compact
  def __call__(self, x):
    y = self.activation(self.norm(name='norm1')(x))
    if x.shape[-1] != self.channels or self.stride != 1:
      x = self.conv(self.channels, 1, self.stride, name='shortcut')(y)
    y = self.conv(self.channels, 3, self.stride, name='conv1')(y)
    y = self.activation(self.norm(name='norm2')(y))
    return x + self.conv(self.channels, 3, name='conv2')(y)


class WideResNet(nn.Module):
  """WRN-depth-width (Zagoruyko and Komodakis, arXiv 1605.07146).

  As the HAFrame paper (arXiv 2303.05689) trains it on CIFAR-100, with depth 28
  and width 8: LeakyReLU 0.1, BatchNorm decay 0.999, He-normal (fan-out)
  convolutions without biases, no dropout.

  Attributes:
    depth: 6 n + 4 layers, n blocks in each of the three groups.
    width: groups have 16, 32 and 64 times this many channels.
    dtype: of computation; parameters and statistics are float32.
    bn_momentum: decay of BatchNorm's running statistics.
  """

  depth: int
  width: int
  dtype: Any = jnp.float32
  bn_momentum: float = 0.999

  @nn.compact
  def __call__(self, images, train: bool):
    """[B, h, w, c] -> (feature map [B, h/4, w/4, 64 width], intermediates)."""
    check(self.depth, self.width)
    convolution = functools.partial(conv, dtype=self.dtype, kernel_init=FAN_OUT)
    norm = functools.partial(
      nn.BatchNorm,
      use_running_average=not train,
      momentum=self.bn_momentum,
      dtype=self.dtype,
    )
    activation = functools.partial(nn.leaky_relu, negative_slope=0.1)
    x = convolution(16, 3, name='conv0')(images.astype(self.dtype))
    out = {'stem': x}
    for group, stride in enumerate(_GROUP_STRIDES):
      for block in range((self.depth - 4) // 6):
        x = Block(
          16 * self.width * 2**group,
          stride if block == 0 else 1,
          conv=convolution,
          norm=norm,
          activation=activation,
          name=f'group{group + 1}_block{block + 1}',
        )(x)
      out[f'group{group + 1}'] = x
    x = activation(norm(name='norm')(x))
    return x, out
