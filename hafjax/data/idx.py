# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""IDX files, the format of MNIST and Fashion-MNIST."""

import gzip
import math
import pathlib
import struct
from typing import IO
import zlib

import numpy as np

from hafjax.data.errors import DataError
from hafjax.data.splits import Arrays
from hafjax.files.arrays import MOST_PER_BYTE
from hafjax.files.text import describe_error
from hafjax.files.text import quote

# The type code of unsigned bytes in a header.
_UINT8 = 0x08


def read_idx(file: str | pathlib.Path) -> np.ndarray:
  """Reads an IDX file of bytes, gzipped or not.

  Args:
    file: path; a name that ends in .gz is decompressed.

  Returns:
    uint8 array of the shape in the file's header.

  Raises:
    DataError: if the file is missing, truncated, or not an IDX file of bytes.
  """
  file = pathlib.Path(file)
  opener = gzip.open if file.suffix == '.gz' else open
  try:
    with opener(file, 'rb') as stream:
      shape = _shape(file, stream)
      expected = math.prod(shape)
      # No more than can come of the file, whatever its header says.
      most = MOST_PER_BYTE * file.stat().st_size
      content = stream.read(min(expected, most) + 1)
  except (OSError, EOFError, zlib.error) as error:
    raise DataError(
      f'{file} cannot be read: {describe_error(error)}.'
    ) from error
  if len(content) != expected:
    found = f'{len(content):,} bytes follow'
    if len(content) > expected:
      found = 'more bytes follow'
    raise _damaged(file, shape, found)
  try:
    return np.frombuffer(content, np.uint8).reshape(shape)
  except ValueError as error:  # Of too many axes, or of overflowing ones.
    raise _damaged(file, shape, 'no array is so') from error


def _shape(file: pathlib.Path, stream: IO[bytes]) -> tuple[int, ...]:
  """Reads the header of an IDX file."""
  start = stream.read(4)
  if len(start) < 4 or start[:3] != bytes([0, 0, _UINT8]) or not start[3]:
    raise DataError(f'{file} is not an IDX file of unsigned bytes.')
  rank = start[3]
  sizes = stream.read(4 * rank)
  if len(sizes) < 4 * rank:
    raise DataError(f'{file} is truncated: it ends before its header does.')
  return struct.unpack(f'>{rank}I', sizes)


def _damaged(file, shape, found: str) -> DataError:
  return DataError(
    f'{file} is truncated or damaged: its header announces shape '
    f'{quote(shape)}, but {found}.'
  )


def _file_of(folder: pathlib.Path, name: str) -> pathlib.Path:
  zipped = folder / f'{name}.gz'
  return zipped if zipped.exists() else folder / name


def has_idx(folder: str | pathlib.Path) -> bool:
  return _file_of(pathlib.Path(folder), 'train-images-idx3-ubyte').exists()


def idx_splits(
  folder: str | pathlib.Path, num_classes: int = 10
) -> dict[str, Arrays]:
  """MNIST-like train and test splits from a folder of four IDX files.

  Raises:
    DataError: if a file cannot be read, two do not belong together, or labels
      are not in 0..num_classes - 1.
  """
  folder = pathlib.Path(folder)
  splits = {}
  for split, prefix in (('train', 'train'), ('test', 't10k')):
    image_file = _file_of(folder, f'{prefix}-images-idx3-ubyte')
    label_file = _file_of(folder, f'{prefix}-labels-idx1-ubyte')
    images, labels = read_idx(image_file), read_idx(label_file)
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
      raise DataError(
        f'{image_file} (shape {images.shape}) and {label_file} (shape '
        f'{labels.shape}) do not belong together.'
      )
    if labels.max(initial=0) >= num_classes:
      raise DataError(
        f'{label_file} has labels up to {labels.max()}, but there are '
        f'{num_classes} classes, from 0 on.'
      )
    splits[split] = Arrays(images[..., None], labels.astype(np.int32))
  return splits
