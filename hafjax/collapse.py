# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""How far features have collapsed to where they should be."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from hafjax.losses import frame as frame_losses


def alignment_sums(
  features: Float[Array, 'b d'],
  labels: Int[Array, 'b'],
  frame: Float[Array, 'k d'],
  mask: Bool[Array, 'b'],
) -> dict[str, Array]:
  """A batch's part of `alignment`: sums, to be added over batches.

  Args:
    features: raw features, [B, d].
    labels: class indices, int[B].
    frame: unit-norm class vectors, [K, d].
    mask: which examples count, bool[B].

  Returns:
    'cosine': [K], sums of the cosines to the own class vector; 'features':
    [K, d], sums of the features; 'counts': [K].
  """
  weight = mask.astype(features.dtype)
  cosine = jnp.sum(frame_losses.unit(features) * frame[labels], axis=-1)
  zeros = jnp.zeros(len(frame), features.dtype)
  return dict(
    cosine=zeros.at[labels].add(weight * cosine),
    features=jnp.zeros_like(frame, features.dtype)
    .at[labels]
    .add(weight[:, None] * features),
    counts=zeros.at[labels].add(weight),
  )


def alignment(
  sums: dict[str, Array], frame: Float[Array, 'k d']
) -> dict[str, float]:
  """Cosines between features and their fixed class vectors.

  Args:
    sums: of `alignment_sums` over a split.
    frame: the same class vectors, [K, d].

  Returns:
    'feature_cosine': mean over examples; 'class_mean_cosine': mean over the
    classes that have examples, of the cosine of the class's mean feature. Both
    are 1 when features have collapsed to the frame.
  """
  present = sums['counts'] > 0
  means = jnp.sum(frame_losses.unit(sums['features']) * frame, axis=-1)
  return dict(
    feature_cosine=float(sums['cosine'].sum() / sums['counts'].sum()),
    class_mean_cosine=float(
      jnp.where(present, means, 0.0).sum() / present.sum()
    ),
  )
