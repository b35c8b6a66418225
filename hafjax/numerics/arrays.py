# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Arrays of any library, and their conversion to JAX and NumPy."""

from typing import Any, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

# Fields of pytrees, which are made on the host and travel to devices.
AnyArray: TypeAlias = jax.Array | np.ndarray


@runtime_checkable
class ArrayLike(Protocol):
  """An argument: an array of NumPy, JAX, PyTorch, TensorFlow, ...

  Anything that `np.asarray` converts by `__array__`. Arrays without (or of a
  type that NumPy does not have, such as PyTorch's bfloat16) work through
  DLPack.
  """

  def __array__(self, *args: Any, **kwargs: Any) -> Any: ...


def as_numpy(values: Any, dtype: Any = None) -> np.ndarray:
  """An array on the host: as it is, converted, or copied from a device."""
  if isinstance(values, jax.Array) or not hasattr(values, '__dlpack__'):
    return np.asarray(values, dtype)
  try:
    found = np.asarray(values)
  except (TypeError, ValueError, RuntimeError):
    found = np.asarray(None)
  if found.dtype == object:
    # No `__array__`, or none for this type or device.
    found = np.asarray(jnp.from_dlpack(values))
  return found if dtype is None else found.astype(dtype, copy=False)


def as_array(values: Any) -> AnyArray:
  """An array of NumPy or JAX: as it is, or converted to NumPy."""
  return values if isinstance(values, AnyArray) else as_numpy(values)


def as_jax(values: Any, dtype: Any = None) -> jax.Array:
  """A JAX array, of a type that JAX's x64 flag allows."""
  if not isinstance(values, jax.Array):
    values = as_numpy(values)
  return jnp.asarray(values, dtype)
