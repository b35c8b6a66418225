# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""How far features have collapsed to where they should be."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Integer

from hafjax import frames
from hafjax.collapse.errors import CollapseError
from hafjax.collapse.statistics import checked_batch
from hafjax.numerics.arrays import AnyArray
from hafjax.numerics.arrays import ArrayLike
from hafjax.numerics.vectors import unit


def alignment_sums(
  features: Float[ArrayLike, 'b d'],
  labels: Integer[ArrayLike, 'b'],
  frame: Float[ArrayLike, 'k d'] | frames.Frame,
  mask: Bool[ArrayLike, 'b'],
) -> dict[str, Array]:
  """A batch's part of `alignment`: sums, to be added over batches.

  Args:
    features: raw features, [B, d].
    labels: class indices, int[B].
    frame: unit-norm class vectors, [K, d], or an operator.
    mask: which examples count, bool[B].

  Returns:
    'cosine': [K], sums of the cosines to the own class vector; 'counts': [K];
    'features': [K, d], sums of the features, for a dense frame only.

  Raises:
    CollapseError: if shapes do not fit, or a label is no class. Where labels
      are traced, examples of no class do not count.
  """
  frame = frames.as_frame(frame)
  features, labels, mask = checked_batch(
    features, labels, frame.num_classes, mask
  )
  if features.shape[1] != frame.dim:
    raise CollapseError(
      f'features must be of shape [B, {frame.dim}], for a frame of '
      f'{frame.dim} dimensions, got {list(features.shape)}.'
    )
  weight = mask.astype(features.dtype)
  cosine = jnp.sum(unit(features) * frame.rows(labels), axis=-1)
  zeros = jnp.zeros(frame.num_classes, features.dtype)
  sums = dict(
    cosine=zeros.at[labels].add(weight * cosine),
    counts=zeros.at[labels].add(weight),
  )
  if isinstance(frame, frames.DenseFrame):
    zeros = jnp.zeros(frame.vectors.shape, features.dtype)
    sums['features'] = zeros.at[labels].add(weight[:, None] * features)
  return sums


def alignment(
  sums: dict[str, Float[AnyArray, '...']],
  frame: Float[ArrayLike, 'k d'] | frames.Frame,
) -> dict[str, float]:
  """Cosines between features and their fixed class vectors.

  Args:
    sums: of `alignment_sums` over a split.
    frame: the same class vectors.

  Returns:
    'feature_cosine': mean over examples; 'class_mean_cosine' (of a dense
    frame): mean over the classes that have examples, of the cosine of the
    class's mean feature. Both are 1 when features have collapsed to the frame.
  """
  found = dict(
    feature_cosine=float(sums['cosine'].sum() / sums['counts'].sum())
  )
  if 'features' in sums:
    present = sums['counts'] > 0
    vectors = frames.as_frame(frame).vectors
    means = jnp.sum(unit(sums['features']) * vectors, axis=-1)
    found['class_mean_cosine'] = float(
      jnp.where(present, means, 0.0).sum() / present.sum()
    )
  return found
