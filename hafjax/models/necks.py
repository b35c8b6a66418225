# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Necks: from a feature map to features, by pooling and perhaps projection."""

from typing import Any

from flax import linen as nn
import jax.numpy as jnp

from hafjax.models.conv import conv


class PoolNeck(nn.Module):
  """Type I: global average pooling, nothing learned."""

  @nn.compact
  def __call__(self, feature_map, train: bool):
    """[B, h, w, C] -> [B, C]."""
    del train
    return feature_map.mean((1, 2))


class LinearNeck(nn.Module):
  """Average pooling, a linear map and BatchNorm: any width at a low price.

  Attributes:
    dim: d.
    dtype: of computation; parameters and statistics are float32.
    bn_momentum: decay of BatchNorm's running statistics.
  """

  dim: int
  dtype: Any = jnp.float32
  bn_momentum: float = 0.9

  @nn.compact
  def __call__(self, feature_map, train: bool):
    """[B, h, w, C] -> [B, d]."""
    x = nn.Dense(self.dim, use_bias=False, dtype=self.dtype, name='dense')(
      feature_map.mean((1, 2))
    )
    return nn.BatchNorm(
      use_running_average=not train,
      momentum=self.bn_momentum,
      dtype=self.dtype,
      name='norm',
    )(x)


class TransformNeck(nn.Module):
  """Type II: the HAFrame paper's transformation (arXiv 2303.05689).

  A 1x1 convolution without bias before average pooling, BatchNorm, and two
  residual layers of Dense-BatchNorm-PReLU-Dense-BatchNorm-PReLU.

  Attributes:
    dim: d, width throughout; the paper's is the number of classes.
    dtype: of computation; parameters and statistics are float32.
    bn_momentum: decay of BatchNorm's running statistics.
  """

  dim: int
  dtype: Any = jnp.float32
  bn_momentum: float = 0.9

  @nn.compact
  def __call__(self, feature_map, train: bool):
    """[B, h, w, C] -> [B, d]."""

    def norm(name):
      return nn.BatchNorm(
        use_running_average=not train,
        momentum=self.bn_momentum,
        dtype=self.dtype,
        name=name,
      )

    x = conv(self.dim, 1, dtype=self.dtype, name='conv')(feature_map)
    x = norm('norm')(x.mean((1, 2)))
    for layer in (1, 2):
      y = x
      for half in ('a', 'b'):
        suffix = f'{layer}{half}'
        y = nn.Dense(self.dim, dtype=self.dtype, name=f'dense{suffix}')(y)
        y = norm(f'norm{suffix}')(y)
        y = nn.PReLU(negative_slope_init=0.25, name=f'prelu{suffix}')(y)
      x = x + y
    return x


_PROJECTIONS = {'linear': LinearNeck, 'transform': TransformNeck}
NAMES = ('pool', *_PROJECTIONS)


def width(name: str, feature_dim: int | None, channels: int) -> int | None:
  """Width of a neck's features; None where it is free.

  Args:
    name: one of `NAMES`.
    feature_dim: that the user asks for, or None.
    channels: of the feature map, which 'pool' leaves as they are.
  """
  return channels if name == 'pool' else feature_dim


def build(name: str, dim: int, **options) -> nn.Module:
  """A neck by name.

  Args:
    name: 'pool' (type I), 'linear' or 'transform' (type II).
    dim: width of the features.
    **options: fields of the module, such as `dtype`.
  """
  if name == 'pool':
    return PoolNeck()
  return _PROJECTIONS[name](dim, **options)
