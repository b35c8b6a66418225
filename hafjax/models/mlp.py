# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A multi-layer perceptron on flattened images."""

from typing import Any

from flax import linen as nn
import jax.numpy as jnp


class MLP(nn.Module):
  """Dense, BatchNorm, ReLU, a few times.

  Attributes:
    widths: of the layers.
    dtype: of computation; parameters and statistics are float32.
    bn_momentum: decay of BatchNorm's running statistics.
  """

  widths: tuple[int, ...] = (256, 256)
  dtype: Any = jnp.float32
  bn_momentum: float = 0.9

  @nn.compact
  def __call__(self, images, train: bool):
    """[B, h, w, c] -> (feature map [B, 1, 1, widths[-1]], intermediates)."""
    x, out = images.astype(self.dtype).reshape(len(images), -1), {}
    for level, width in enumerate(self.widths, 1):
      x = nn.Dense(
        width, use_bias=False, dtype=self.dtype, name=f'dense{level}'
      )(x)
      x = nn.BatchNorm(
        use_running_average=not train,
        momentum=self.bn_momentum,
        dtype=self.dtype,
        name=f'norm{level}',
      )(x)
      x = out[f'level{level}'] = nn.relu(x)
    return x[:, None, None, :], out
