# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files of weights, read without running anything that is in them."""

import os
import pathlib
import pickle

import jax.numpy as jnp
import numpy as np

from hafjax.errors import UserError
from hafjax.files.arrays import ArrayError
from hafjax.files.arrays import load_archive
from hafjax.files.text import describe_error
from hafjax.files.text import quote

# Unknown to NumPy.
_BFLOAT16 = np.dtype(jnp.bfloat16)


class PretrainedError(UserError):
  """Weights that cannot be used; says what is wrong and what to do."""


def load(file: str | os.PathLike) -> dict[str, np.ndarray]:
  """Tensors by name.

  Args:
    file: `.safetensors`; `.npz`; or `.pth`, `.pt`, `.pth.tar` and `.bin`, which
      PyTorch writes and reads, where it is installed. Of a PyTorch checkpoint
      with more in it, the weights are what is under 'state_dict', 'model' or
      'teacher'.

  Returns:
    Arrays in the types of the file; bfloat16 is JAX's.

  Raises:
    PretrainedError: if there is no such file, it is damaged or of a kind that
      is not known, has no tensors, or wants code to be run.
  """
  file = pathlib.Path(file)
  reader = _READERS.get(file.suffix if file.suffix != '.tar' else '.pth')
  if reader is None:
    raise PretrainedError(
      f'{file}: weights are read from .safetensors, .npz, .pth, .pt, .pth.tar '
      f'and .bin files, not from {file.suffix or "files without a suffix"!r}.'
    )
  try:
    tensors = reader(file)
  except OSError as error:
    raise PretrainedError(
      f'{file} cannot be read: {describe_error(error)}.'
    ) from error
  if not tensors:
    raise PretrainedError(f'{file} holds no tensors.')
  return tensors


# --- safetensors -------------------------------------------------------------

# Of those that networks have; the format's own package has no bfloat16 for
# NumPy.
_SAFETENSORS_TYPES = {
  'F64': np.float64,
  'F32': np.float32,
  'F16': np.float16,
  'BF16': _BFLOAT16,
  'I64': np.int64,
  'I32': np.int32,
  'I16': np.int16,
  'I8': np.int8,
  'U8': np.uint8,
  'BOOL': np.bool_,
}


def _read_safetensors(file: pathlib.Path) -> dict[str, np.ndarray]:
  """Tensors, sorted by name."""
  try:
    import safetensors
  except ImportError as error:
    raise PretrainedError(
      f'{file} is read by the package safetensors, which is not installed: pip '
      "install safetensors, or hafjax with the extra 'pretrained'."
    ) from error
  content = file.read_bytes()
  tensors = {}
  try:
    for name, entry in sorted(safetensors.deserialize(content)):
      if entry['dtype'] not in _SAFETENSORS_TYPES:
        raise PretrainedError(
          f'{file}: tensor {quote(name)} is of type {quote(entry["dtype"])}, '
          f'and those that are read are {", ".join(_SAFETENSORS_TYPES)}.'
        )
      flat = np.frombuffer(entry['data'], _SAFETENSORS_TYPES[entry['dtype']])
      tensors[name] = flat.reshape(entry['shape'])
  except PretrainedError:
    raise
  except (safetensors.SafetensorError, ValueError) as error:
    # ValueError: of more axes than NumPy has.
    raise _damaged(file, error) from error
  return tensors


# --- NumPy -------------------------------------------------------------------


def _read_npz(file: pathlib.Path) -> dict[str, np.ndarray]:
  try:
    arrays = load_archive(file)
  except ArrayError as error:
    raise _damaged(file, error) from error
  return {name: _without_void(array) for name, array in arrays.items()}


def _without_void(array: np.ndarray) -> np.ndarray:
  """bfloat16 again, which NumPy saves as void (`V2`)."""
  return array.view(_BFLOAT16) if array.dtype == 'V2' else array


# --- PyTorch -----------------------------------------------------------------


def _read_torch(file: pathlib.Path) -> dict[str, np.ndarray]:
  try:
    import torch
  except ImportError as error:
    raise PretrainedError(
      f'{file} is a file of PyTorch, which is not installed: install it (pip '
      'install torch), or convert the file to .safetensors where it is.'
    ) from error
  try:
    # Tensors and plain containers alone: a pickle could run any code.
    found = torch.load(file, map_location='cpu', weights_only=True)
  except pickle.UnpicklingError as error:
    raise PretrainedError(
      f'{file} is damaged, or holds more than tensors and plain values, and to '
      'read that would run code from the file: save its state_dict alone, or '
      'convert it to .safetensors.'
    ) from error
  except OSError:
    raise
  except Exception as error:  # Its machine for pickles raises anything.
    raise _damaged(file, error) from error
  while isinstance(found, dict) and any(
    isinstance(found.get(key), dict) for key in _WRAPPERS
  ):
    found = next(
      found[key] for key in _WRAPPERS if isinstance(found.get(key), dict)
    )
  if not isinstance(found, dict):
    return {}
  return {
    str(name): _as_numpy(file, str(name), tensor)
    for name, tensor in found.items()
    if isinstance(tensor, torch.Tensor)
  }


# What checkpoints of training keep their weights under.
_WRAPPERS = ('state_dict', 'model', 'teacher')


def _as_numpy(file: pathlib.Path, name: str, tensor) -> np.ndarray:
  import torch

  tensor = tensor.detach()
  try:
    # Strides of zero make much of little.
    if tensor.nbytes > file.stat().st_size:
      raise TypeError('it is larger than the file')
    if tensor.dtype == torch.bfloat16:
      return tensor.float().numpy().astype(_BFLOAT16)
    return tensor.numpy()
  # Of kinds that NumPy does not know: sparse, quantised, of eight bits, ...
  except (NotImplementedError, RuntimeError, TypeError) as error:
    raise PretrainedError(
      f'{file}: tensor {quote(name)} cannot be used '
      f'({describe_error(error)}): save it as a plain one of float32.'
    ) from error


def _damaged(file, why) -> PretrainedError:
  if isinstance(why, Exception):
    why = describe_error(why)
  return PretrainedError(f'{file} is damaged ({why}): get it again.')


_READERS = {
  '.safetensors': _read_safetensors,
  '.npz': _read_npz,
  '.pth': _read_torch,
  '.pt': _read_torch,
  '.bin': _read_torch,
}
