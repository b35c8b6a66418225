# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""NumPy's files from anywhere: .npy and .npz, of plain arrays.

Nothing in them is run, and no memory is asked for before what a file announces
was compared with what is there. Formats: numpy.lib.format, and PKWARE's
APPNOTE 6.3 of zip archives.
"""

import math
import os
from typing import IO, Any
import zipfile
import zlib

import numpy as np

from hafjax.errors import UserError
from hafjax.files.text import describe_error
from hafjax.files.text import quote
from hafjax.numerics.numbers import is_int

_HEADERS = {
  (1, 0): np.lib.format.read_array_header_1_0,
  (2, 0): np.lib.format.read_array_header_2_0,
}

# Deflate makes no more of a byte (RFC 1951: 258 bytes of two bits).
MOST_PER_BYTE = 1032

_LAST_CHARACTER = 0x10FFFF
_MOST_AXES = 64

# What zipfile, zlib and NumPy raise of damage and of what they do not support.
_FAILURES = (
  EOFError,
  MemoryError,
  NotImplementedError,
  OverflowError,
  RuntimeError,
  ValueError,
  zipfile.BadZipFile,
  zlib.error,
)


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
    ArrayError: if there is another thing in the file than just one array of
      numbers, texts or bytes.
    OSError: if it cannot be read.
  """
  try:
    with open(file, 'rb') as stream:
      size = os.fstat(stream.fileno()).st_size
      if mmap_mode is None:
        return _read(stream, size)
      _check_header(stream, size)
    return np.load(file, mmap_mode, allow_pickle=False)
  except ArrayError:
    raise
  except _FAILURES as error:
    raise ArrayError(describe_error(error)) from error


def load_archive(
  file: str | os.PathLike, names: tuple[str, ...] | None = None
) -> dict[str, np.ndarray]:
  """The arrays in a .npz file by their names.

  Args:
    file: path, of any suffix.
    names: of the arrays that are read, if they are there; all by default.

  Raises:
    ArrayError: if it is no archive of such arrays as `load` reads.
    OSError: if it cannot be read.
  """
  found = {}
  try:
    with open(file, 'rb') as whole:
      if not zipfile.is_zipfile(whole):
        raise ArrayError('what is in it is no .npz file')
      archive = zipfile.ZipFile(whole)
      _check_sizes(archive, os.fstat(whole.fileno()).st_size)
      for member in archive.infolist():
        name = member.filename.removesuffix('.npy')
        is_array = name != member.filename
        if is_array and (names is None or name in names):
          with archive.open(member) as stream:
            found[name] = _read(stream, member.file_size)
  except ArrayError:
    raise
  except _FAILURES as error:
    raise ArrayError(describe_error(error)) from error
  return found


def as_real(values: Any) -> np.ndarray:
  """Values as float64; raises ValueError or TypeError if they are no numbers.

  NumPy itself would read texts, and leave out imaginary parts.
  """
  array = np.asarray(values)
  if array.dtype.kind not in 'biufO':
    raise TypeError(f'they are of type {array.dtype}')
  # What is too large becomes infinite.
  with np.errstate(over='ignore', invalid='ignore'):
    return np.asarray(array, np.float64)


def _check_sizes(archive: zipfile.ZipFile, size: int):
  """Raises if the members would be larger than `size` bytes can make them."""
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
        f'{name} announces {member.file_size:,} bytes, more than can come of '
        f'the {member.compress_size:,} that are there'
      )


def _read(stream: IO[bytes], size: int) -> np.ndarray:
  """The array in an open file of `size` bytes."""
  _check_header(stream, size)
  stream.seek(0)
  array = np.lib.format.read_array(stream, allow_pickle=False)
  if array.dtype.kind == 'U' and array.size:
    codes = array.ravel('K').view(f'{array.dtype.byteorder}u4')
    if codes.max() > _LAST_CHARACTER:
      raise ArrayError('it has characters that there are not')
  return array


def _check_header(stream: IO[bytes], size: int):
  """Raises unless just one plain array of the announced size follows."""
  if stream.read(len(np.lib.format.MAGIC_PREFIX)) != np.lib.format.MAGIC_PREFIX:
    raise ArrayError('what is in it is no .npy file')
  stream.seek(0)
  try:
    version = np.lib.format.read_magic(stream)
    shape, _, dtype = _HEADERS[version](stream)
  except Exception as error:  # Text of Python: parsing it raises anything.
    raise ArrayError(
      f"an array's header is damaged ({describe_error(error)})"
    ) from error
  if dtype.hasobject:
    raise ArrayError('it holds Python objects, and to read these runs code')
  if dtype.names or dtype.subdtype or not dtype.itemsize:
    raise ArrayError(f'its items are no numbers, but {quote(dtype)}')
  shown = quote(shape)
  if len(shape) > _MOST_AXES or not all(map(_is_size, shape)):
    raise ArrayError(f'an array has a shape that none can have, {shown}')
  if math.prod(shape) * dtype.itemsize != size - stream.tell():
    raise ArrayError(
      f'an array of shape {shown} and type {dtype} is not just as large as the '
      f'{size - stream.tell():,} bytes that follow its header'
    )


def _is_size(value) -> bool:
  return is_int(value) and 0 <= value < 2**63
