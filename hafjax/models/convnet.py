# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A small ConvNet that trains in minutes on two CPU cores."""

from typing import Any

from flax import linen as nn
import jax.numpy as jnp

from hafjax.models.conv import conv


class ConvNet(nn.Module):
  """Convolution, BatchNorm, ReLU, a level each; every level halves the map.

  Attributes:
    widths: channels of the levels.
    dtype: of computation; parameters and statistics are float32.
    bn_momentum: decay of BatchNorm's running statistics.
  """

  widths: tuple[int, ...] = (32, 64, 128)
  dtype: Any = jnp.float32
  bn_momentum: float = 0.9

  @nn.compact
  def __call__(self, images, train: bool):
    """[B, h, w, c] -> (feature map, intermediates)."""
    x, out = images.astype(self.dtype), {}
    for level, width in enumerate(self.widths, 1):
      x = conv(width, 3, 2, dtype=self.dtype, name=f'conv{level}')(x)
      x = nn.BatchNorm(
        use_running_average=not train,
        momentum=self.bn_momentum,
        dtype=self.dtype,
        name=f'norm{level}',
      )(x)
      x = out[f'level{level}'] = nn.relu(x)
    return x, out
