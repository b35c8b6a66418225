# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""From a feature map to features: pooling alone, or a projection as well."""

from typing import Any

from flax import linen as nn
import jax.numpy as jnp

from hafjax.models.conv import conv


class PoolTop(nn.Module):
  """Type I: global average pooling, nothing learned."""

  @nn.compact
  def __call__(self, feature_map, train: bool):
    """[B, h, w, C] -> [B, C]."""
    del train
    return feature_map.mean((1, 2))


class LinearTop(nn.Module):
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


class TransformTop(nn.Module):
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


_PROJECTIONS = {'linear': LinearTop, 'transform': TransformTop}
NAMES = ('pool', *_PROJECTIONS)


def build(
  name: str, dim: int, channels: int, **options
) -> tuple[nn.Module, int]:
  """A top by name, and how wide its features are.

  Args:
    name: 'pool' (type I), 'linear' or 'transform' (type II).
    dim: wanted width, which 'pool' cannot give.
    channels: of the feature map.
    **options: fields of the module, such as `dtype`.
  """
  if name == 'pool':
    return PoolTop(), channels
  return _PROJECTIONS[name](dim, **options), dim
