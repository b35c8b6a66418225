# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""From features to logits, learned or fixed."""

from flax import linen as nn
import jax.numpy as jnp
import numpy as np


class Linear(nn.Module):
  """A learned linear classifier with bias.

  Attributes:
    num_classes: K.
  """

  num_classes: int

  @nn.compact
  def __call__(self, features):
    """[B, d] -> features and logits [B, K], float32."""
    features = features.astype(jnp.float32)
    logits = nn.Dense(self.num_classes, name='dense')(features)
    return dict(features=features, logits=logits)


class Fixed(nn.Module):
  """A classifier whose rows are given and stay.

  The frame is a constant of the model, not a variable: it has no gradient, no
  weight decay, no optimiser state and no place in a checkpoint.

  Attributes:
    frame: class vectors, float[K, d].
  """

  frame: np.ndarray

  @nn.compact
  def __call__(self, features):
    """[B, d] -> features and logits [B, K], float32.

    Raises:
      ValueError: if the features are not as wide as the frame.
    """
    if features.shape[-1] != self.frame.shape[1]:
      raise ValueError(
        f'The frame has {self.frame.shape[1]} dimensions and the features '
        f'have {features.shape[-1]}: they must be the same.'
      )
    features = features.astype(jnp.float32)
    logits = features @ jnp.asarray(self.frame, jnp.float32).T
    return dict(features=features, logits=logits)
