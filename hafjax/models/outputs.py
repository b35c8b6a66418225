# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Outputs of heads and of the whole network."""

from collections.abc import Mapping
from typing import Any

import flax
from jaxtyping import Array, Float

from hafjax import frames


@flax.struct.dataclass
class Classifier:
  """A learned linear classifier with a row a class.

  Attributes:
    weights: rows, float32[K, d].
    bias: float32[K].
  """

  weights: Float[Array, 'k d']
  bias: Float[Array, 'k']


@flax.struct.dataclass
class HeadOutputs:
  """What a head makes of features; a pytree.

  Attributes:
    features: what the head receives, float32[B, d].
    logits: scores of the classes, larger for likelier ones, float32[B, K].
    frame: fixed class vectors, where there are any.
    classifiers: learned classifiers with a row a class, by the layer that they
      read: 'features', or one of `intermediates`.
    extras: what the loss of a method needs besides, by name: 'node_logits'
      [B, N or N - 1], 'level_logits' (a tuple of [B, n_l]), 'level_weights' (a
      tuple of [n_l, d]), 'kernels' (a tuple of [d_l, d_(l - 1)]).
    intermediates: outputs of layers of the backbone and of the head, by name:
      [B, h, w, c] or [B, d].
  """

  features: Float[Array, 'b d']
  logits: Float[Array, 'b k']
  frame: frames.Frame | None = None
  classifiers: Mapping[str, Classifier] = flax.struct.field(
    default_factory=dict
  )
  extras: Mapping[str, Any] = flax.struct.field(default_factory=dict)
  intermediates: Mapping[str, Array] = flax.struct.field(default_factory=dict)
