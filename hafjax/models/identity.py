# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""No backbone: the inputs are features already."""

from typing import Any

from flax import linen as nn
import jax.numpy as jnp


class Identity(nn.Module):
  """Features as a map of one position; nothing is learned.

  Attributes:
    dtype: of computation.
  """

  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, features, train: bool):
    """[B, d] -> (feature map [B, 1, 1, d], no intermediates)."""
    del train
    return features.astype(self.dtype)[:, None, None, :], {}
