# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""NumPy's files of plain arrays, .npy and .npz, that may be damaged or forged.

NumPy reads them; before it takes memory for an array, the size that the header
announces is compared with the bytes that are there. Pickles are never loaded.
"""

from collections.abc import Iterator
import contextlib
import math
import os
from typing import IO, Any
import zipfile

import numpy as np

from hafjax.errors import UserError
from hafjax.files.text import describe_error
from hafjax.files.text import quote

_HEADERS = {
  (1, 0): np.lib.format.read_array_header_1_0,
  (2, 0): np.lib.format.read_array_header_2_0,
}

# Deflate makes no more of a byte (RFC 1951: 258 bytes of two bits).
MOST_PER_BYTE = 1032

_LAST_CHARACTER = 0x10FFFF


class ArrayError(UserError):
  """What is wrong with a file of arrays, without its name or a full stop."""


def load_array(
  file: str | os.PathLike, mmap_mode: str | None = None
) -> np.ndarray:
  """The array in a .npy file.

  Args:
    file: path, of any suffix.
    mmap_mode: 'r' to leave it on disk, as for `np.load`.

  Raises:
    ArrayError: unless the file holds one array of numbers, texts or bytes, and
      nothing else.
    OSError: if it cannot be read.
  """
  with _array_errors(), open(file, 'rb') as stream:
    size = os.fstat(stream.fileno()).st_size
    if mmap_mode is None:
      return _read(stream, size)
    _check_header(stream, size)
    return np.load(file, mmap_mode, allow_pickle=False)


def load_archive(
  file: str | os.PathLike, names: tuple[str, ...] | None = None
) -> dict[str, np.ndarray]:
  """The arrays in a .npz file by their names.

  Args:
    file: path, of any suffix.
    names: of the arrays that are read, if they are there; all by default.

  Raises:
    ArrayError: unless it is an archive of arrays that `load_array` would read.
    OSError: if it cannot be read.
  """
  arrays = {}
  with _array_errors(), open(file, 'rb') as whole:
    with zipfile.ZipFile(whole) as archive:
      _check_sizes(archive, os.fstat(whole.fileno()).st_size)
      for member in archive.infolist():
        name = member.filename.removesuffix('.npy')
        is_array = name != member.filename
        if is_array and (names is None or name in names):
          with archive.open(member) as stream:
            arrays[name] = _read(stream, member.file_size)
  return arrays


def as_real(values: Any) -> np.ndarray:
  """Values as float64; raises ValueError or TypeError if they are no numbers.

  NumPy itself would parse texts, and drop imaginary parts.
  """
  array = np.asarray(values)
  if array.dtype.kind not in 'biufO':
    raise TypeError(f'they are of type {array.dtype}')
  # What is too large becomes infinite.
  with np.errstate(over='ignore', invalid='ignore'):
    return np.asarray(array, np.float64)


@contextlib.contextmanager
def _array_errors() -> Iterator[None]:
  """Makes one kind of error of all that damaged files can raise."""
  try:
    yield
  except (ArrayError, OSError):
    raise
  except Exception as error:  # zipfile, zlib and NumPy's parser raise anything.
    raise ArrayError(describe_error(error)) from error


def _check_sizes(archive: zipfile.ZipFile, size: int):
  """Raises if `size` bytes of archive cannot unpack to what it announces."""
  members = archive.infolist()
  if sum(member.compress_size for member in members) > size:
    raise ArrayError('its parts are together larger than it is')
  for member in members:
    most = {
      zipfile.ZIP_STORED: member.compress_size,
      zipfile.ZIP_DEFLATED: MOST_PER_BYTE * member.compress_size,
    }.get(member.compress_type)
    name = quote(member.filename)
    if most is None:
      raise ArrayError(f'{name} is packed by a method that NumPy does not use')
    if member.file_size > most:
      raise ArrayError(
        f'{name} announces {member.file_size:,} bytes, more than its '
        f'{member.compress_size:,} packed bytes can hold'
      )


def _read(stream: IO[bytes], size: int) -> np.ndarray:
  """The array in an open file of `size` bytes."""
  _check_header(stream, size)
  stream.seek(0)
  array = np.lib.format.read_array(stream, allow_pickle=False)
  if array.dtype.kind == 'U' and array.size:
    codes = array.ravel('K').view(f'{array.dtype.byteorder}u4')
    if codes.max() > _LAST_CHARACTER:
      raise ArrayError('it has characters that are not in Unicode')
  return array


def _check_header(stream: IO[bytes], size: int):
  """Raises unless one plain array of the announced size follows."""
  version = np.lib.format.read_magic(stream)
  if version not in _HEADERS:
    raise ArrayError(f'it is of version {version}, not (1, 0) or (2, 0)')
  shape, _, dtype = _HEADERS[version](stream)
  if dtype.hasobject:
    raise ArrayError(
      'it holds pickled Python objects, which are not loaded because they can '
      'run code'
    )
  if dtype.names or dtype.subdtype or not dtype.itemsize:
    raise ArrayError(f'its items are no numbers, but {quote(dtype)}')
  if math.prod(shape) * dtype.itemsize != size - stream.tell():
    raise ArrayError(
      f'an array of shape {quote(shape)} and type {dtype} does not take the '
      f'{size - stream.tell():,} bytes that follow its header'
    )
