# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checks of arguments, with errors that name what does not fit.

Shapes and types are always checked. Values are checked where they are known:
under `jax.jit` they are not, and each caller documents what it does instead.
"""

import math
from typing import Any

import jax
import numpy as np

from hafjax.errors import UserError
from hafjax.numerics import arrays
from hafjax.numerics.numbers import is_number


def is_traced(values: Any) -> bool:
  """Whether values are unknown, as those of arguments are under `jax.jit`."""
  return isinstance(values, jax.core.Tracer)


def fitted(
  error: type[UserError], **arguments: tuple[Any, str]
) -> list[arrays.AnyArray]:
  """Arrays of NumPy or JAX, if their shapes fit each other.

  Args:
    error: what is raised.
    **arguments: for each argument, an array of any library and its shape, a
      letter an axis, as in `means=(means, 'kd'), counts=(counts, 'k')`.

  Returns:
    The arrays, in their order.

  Raises:
    `error`: names the first argument of another shape, and the one that it does
      not fit.
  """
  converted, sizes = [], {}
  for name, (values, axes) in arguments.items():
    array = arrays.as_array(values)
    if array.ndim != len(axes):
      raise error(
        f'{name} must be of shape [{", ".join(axes)}], got {list(array.shape)}.'
      )
    for axis, size in zip(axes, array.shape, strict=True):
      known, owner, shape = sizes.setdefault(axis, (size, name, array.shape))
      if size != known:
        at = '' if owner == name else f' as {owner} has shape {list(shape)},'
        raise error(
          f'{name} must be of shape [{", ".join(axes)}] with {axis} = {known},'
          f'{at} got {list(array.shape)}.'
        )
    converted.append(array)
  return converted


def check_labels(
  labels: Any,
  num_classes: int,
  error: type[UserError] = UserError,
  num_examples: int | None = None,
) -> None:
  """Raises unless labels are class indices.

  Args:
    labels: an array of NumPy or JAX, int[B]. If traced, only its shape and type
      are checked.
    num_classes: K.
    error: what is raised.
    num_examples: B, if it is known.

  Raises:
    `error`: labels are not integers of shape [B], or not in [0, K).
  """
  shape, size = labels.shape, 'B' if num_examples is None else num_examples
  if (
    len(shape) != 1
    or not np.issubdtype(labels.dtype, np.integer)
    or num_examples not in (None, shape[0])
  ):
    raise error(
      f'labels must be class indices, integers of shape [{size}], got '
      f'{labels.dtype} of shape {list(shape)}.'
    )
  if is_traced(labels):
    return
  values = np.asarray(labels)
  bad = (values < 0) | (values >= num_classes)
  if bad.any():
    row = int(bad.argmax())
    raise error(
      f'labels must be from 0 to {num_classes - 1}, for there are '
      f'{num_classes} classes, got {values[row]} in row {row}.'
    )


def check_scores(
  scores: Any,
  error: type[UserError] = UserError,
  name: str = 'scores',
  first: int = 0,
) -> None:
  """Raises if a row has no order: for NaN, or infinity.

  Minus infinity is accepted beside finite scores: log(0) of a probability.

  Args:
    scores: an array of NumPy or JAX, [B, K]. Does nothing if it is traced.
    error: what is raised.
    name: of the argument.
    first: row that the array begins with, for the message.

  Raises:
    `error`: names the first such row.
  """
  if is_traced(scores) or not scores.size:
    return
  # A maximum is NaN where there is one, and infinite for all other bad rows.
  bad = ~np.isfinite(np.asarray(scores.max(axis=1), np.float64))
  if bad.any():
    row = int(bad.argmax())
    raise error(
      f'{name} must be numbers, but {int(bad.sum()):,} of {len(bad):,} rows '
      f'hold NaN or infinity; the first is row {first + row}.'
    )


def check_positive(
  name: str, value: Any, error: type[UserError] = UserError
) -> None:
  """Raises unless an argument is a finite number above 0."""
  if not is_traced(value) and not (_is_finite(value) and value > 0):
    raise error(f'{name} must be a positive number, got {value!r}.')


def check_not_negative(
  name: str, value: Any, error: type[UserError] = UserError
) -> None:
  """Raises unless an argument is a finite number of at least 0."""
  if not is_traced(value) and not (_is_finite(value) and value >= 0):
    raise error(f'{name} must be at least 0, got {value!r}.')


def check_finite(
  name: str, value: Any, error: type[UserError] = UserError
) -> None:
  """Raises unless an argument is a finite number."""
  if not is_traced(value) and not _is_finite(value):
    raise error(f'{name} must be a finite number, got {value!r}.')


def _is_finite(value: Any) -> bool:
  """Whether a value is a finite number, or an array without axes of one."""
  if isinstance(value, jax.Array | np.ndarray) and not value.shape:
    value = value.item()
  return is_number(value) and math.isfinite(value)
