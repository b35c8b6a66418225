# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Heads with an output for each level, or each node, of the tree."""

from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from hafjax.hierarchy import Hierarchy
from hafjax.losses import hier_cos
from hafjax.models import heads
from hafjax.models.outputs import HeadOutputs
from hafjax.numerics.vectors import at_least_float32
from hafjax.numerics.vectors import unit


class Flamingo(nn.Module):
  """A linear classifier per level, each with features of its own.

  Features are cut into slices, the coarsest level's first. A classifier reads
  its own slice and all finer ones, but only its own learns from it: so fine
  features help coarse decisions and not the other way round. Chang et al.,
  CVPR 2021 (arXiv 2011.09040).

  Attributes:
    level_sizes: labels of each level, coarse to fine.
  """

  level_sizes: tuple[int, ...]

  @nn.compact
  def __call__(self, features) -> HeadOutputs:
    """[B, d] -> features, logits per level and of the finest, float32.

    Raises:
      ValueError: if there are fewer dimensions than levels.
    """
    features = at_least_float32(features)
    bounds = _cuts(features.shape[-1], len(self.level_sizes))
    level_logits = []
    for i, size in enumerate(self.level_sizes):
      own, finer = features[:, bounds[i] : bounds[i + 1]], bounds[i + 1]
      others = jax.lax.stop_gradient(features[:, finer:])
      inputs = jnp.concatenate([own, others], axis=1)
      level_logits.append(nn.Dense(size, name=f'level{i + 1}')(inputs))
    return HeadOutputs(
      features,
      level_logits[-1],
      extras=dict(level_logits=tuple(level_logits)),
    )


def _cuts(dim: int, num_levels: int) -> list[int]:
  """Where slices begin, and d; what is left over goes to the last ones."""
  if dim < num_levels:
    raise ValueError(
      f'The features have {dim} dimensions, too few to cut them into slices '
      f'for {num_levels} levels of the tree: they need {num_levels} or more.'
    )
  width, rest = divmod(dim, num_levels)
  widths = np.full(num_levels, width)
  widths[num_levels - rest :] += 1
  return [0, *np.cumsum(widths).tolist()]


class LevelClassifiers(nn.Module):
  """A classifier of unit weights per level, all on the same features.

  Garg, Sani and Anand, ECCV 2022 (arXiv 2207.12646).

  Attributes:
    level_sizes: labels of each level, coarse to fine.
  """

  level_sizes: tuple[int, ...]

  @nn.compact
  def __call__(self, features) -> HeadOutputs:
    """[B, d] -> features, logits and unit weights per level, float32.

    'level_weights' are [n_l, d] each; 'logits' those of the finest level.
    """
    features = at_least_float32(features)
    rows = nn.initializers.lecun_normal(in_axis=-1, out_axis=-2)
    level_logits, level_weights = [], []
    for level, size in enumerate(self.level_sizes, 1):
      weights = unit(
        self.param(f'weights{level}', rows, (size, features.shape[-1]))
      )
      bias = self.param(f'bias{level}', nn.initializers.zeros, (size,))
      level_weights.append(weights)
      level_logits.append(features @ weights.T + bias[None])
    return HeadOutputs(
      features,
      level_logits[-1],
      extras=dict(
        level_logits=tuple(level_logits), level_weights=tuple(level_weights)
      ),
    )


class HierCos(nn.Module):
  """A coordinate per node below the root, read off along fixed directions.

  The directions are a variable of the collection 'frame', for the reasons of
  `heads.Fixed`. They are no class vectors, so the outputs have no `frame`.

  Attributes:
    hierarchy: N nodes, K classes.
    basis: orthonormal rows, float[N - 1, N - 1].
  """

  hierarchy: Hierarchy
  basis: Any

  @nn.compact
  def __call__(self, features) -> HeadOutputs:
    """[B, N - 1] -> features, node_logits [B, N - 1], logits [B, K], float32.

    'logits' are the scores of `hier_cos_scores`.
    """
    features = at_least_float32(features)
    basis = self.variable('frame', 'basis', heads.to_float32, self.basis).value
    coordinates = features @ basis.T
    return HeadOutputs(
      features,
      hier_cos.hier_cos_scores(coordinates, self.hierarchy),
      extras=dict(node_logits=coordinates),
    )
