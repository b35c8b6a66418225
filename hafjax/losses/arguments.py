# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Arguments of losses: converted, and checked to fit each other."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from hafjax.losses.errors import LossError
from hafjax.numerics import arrays
from hafjax.numerics import checks


class Batch(NamedTuple):
  """A batch's examples.

  Attributes:
    values: features or logits, [B, d].
    labels: class indices in [0, K), int[B].
    known: which labels were in [0, K), bool[B]; None for all. Labels that are
      not have been clipped.
  """

  values: Float[Array, 'b d']
  labels: Int[Array, 'b']
  known: Bool[Array, 'b'] | None

  def loss(self, values: Float[Array, 'b']) -> Float[Array, 'b']:
    """A loss of each example, NaN where the label is no class."""
    if self.known is None:
      return values
    return jnp.where(self.known, values, jnp.nan)


def batch(
  values: arrays.ArrayLike,
  labels: arrays.ArrayLike,
  *,
  num_classes: int,
  width: int | None = None,
  name: str = 'features',
  of: str = '',
) -> Batch:
  """Examples and labels as JAX arrays.

  Args:
    values: float[B, d].
    labels: int[B].
    num_classes: K.
    width: what d must be; any by default.
    name: of `values` in the message.
    of: where the width comes from, for the message: 'a frame of shape [3, 4]'.

  Raises:
    LossError: shapes or types do not fit, or a label is not in [0, K). Labels
      that are traced (as under `jax.jit`) are not known: their examples get the
      loss NaN.
  """
  values, labels = arrays.as_jax(values), arrays.as_jax(labels)
  check_matrix(values, name=name, width=width, of=of)
  checks.check_labels(labels, num_classes, LossError, len(values))
  # Small types may not hold the number of classes.
  labels = labels.astype(jnp.promote_types(labels.dtype, jnp.int32))
  if not checks.is_traced(labels):
    return Batch(values, labels, None)
  known = (labels >= 0) & (labels < num_classes)
  return Batch(values, jnp.clip(labels, 0, num_classes - 1), known)


def check_matrix(
  values: jax.Array,
  *,
  name: str,
  rows: str = 'B',
  width: int | None = None,
  of: str = '',
) -> None:
  """Raises LossError unless an array is float[rows, width]; see `batch`."""
  if (
    values.ndim == 2
    and jnp.issubdtype(values.dtype, jnp.floating)
    and width in (None, values.shape[1])
  ):
    return
  columns = 'd' if width is None else width
  because = f', for {of}' if of else ''
  raise LossError(
    f'{name} must be floating-point numbers of shape [{rows}, {columns}]'
    f'{because}, got {values.dtype} of shape {list(values.shape)}.'
  )
