# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Frozen features of a backbone, with labels, in files of NumPy.

A folder holds for each of the splits train, test and perhaps val either

    train.npz                              arrays `features` and `labels`
    train_features.npy, train_labels.npy   likewise; features stay on disk

`features` is float[N, d] of any precision. `labels` is int[N], indices in the
class order of the hierarchy, or names, str[N]. Where indices mean another
order, `class_names` says which: an array in train.npz, or class_names.npy.
"""

import pathlib

import numpy as np

from hafjax.data.errors import DataError
from hafjax.data.labels import class_table
from hafjax.data.splits import Arrays
from hafjax.files.arrays import ArrayError
from hafjax.files.arrays import load_archive
from hafjax.files.arrays import load_array
from hafjax.files.text import describe_error
from hafjax.files.text import quote_some
from hafjax.hierarchy import Hierarchy

SPLITS = ('train', 'val', 'test')

# Rows that are looked at in one go: a hundred megabytes of 1,000 dimensions.
_ROWS = 16_384


def read(folder: str, hierarchy: Hierarchy) -> dict[str, Arrays]:
  """The splits in a folder, labeled in the hierarchy's class order.

  Raises:
    DataError: if a split is missing, damaged, not finite, or does not fit the
      hierarchy or the other splits.
  """
  if not folder:
    raise DataError(
      'Features are read from a folder: name it by --config.data_dir.'
    )
  folder = pathlib.Path(folder)
  contents = _contents(folder)
  class_names = _class_names(folder, contents['train'])
  splits = {}
  for split, (file, arrays) in contents.items():
    _check_class_names(file, arrays, class_names)
    features, labels = arrays['features'], arrays['labels']
    _check(file, features, labels)
    labels = _indices(file, labels, class_names, hierarchy)
    splits[split] = Arrays(features, labels)
  widths = {split: arrays.example_shape[0] for split, arrays in splits.items()}
  if len(set(widths.values())) > 1:
    raise DataError(
      f'{folder}: features must be as wide in every split, got '
      + ', '.join(f'{width} in {split}' for split, width in widths.items())
      + '.'
    )
  return splits


def statistics(split: Arrays) -> tuple[np.ndarray, np.ndarray]:
  """Mean and standard deviation of each dimension, float32[d] each.

  In two passes, in float64. A dimension that hardly varies is left at its
  scale, not blown up to noise.
  """
  count, width = len(split), split.example_shape[0]
  mean, variance = np.zeros(width), np.zeros(width)
  for rows in _chunks(split):
    mean += np.sum(split.images[rows], axis=0, dtype=np.float64) / count
  for rows in _chunks(split):
    centered = np.asarray(split.images[rows], np.float64) - mean
    variance += np.sum(centered**2, axis=0) / count
  std = np.sqrt(variance)
  std[std <= 1e-6 * max(std.max(), 1e-30)] = 1.0
  return mean.astype(np.float32), std.astype(np.float32)


def _chunks(split):
  """Slices of a split that fit into memory."""
  return (slice(i, i + _ROWS) for i in range(0, len(split), _ROWS))


# --- Files --------------------------------------------------------------------


def _contents(folder: pathlib.Path) -> dict[str, tuple[pathlib.Path, dict]]:
  """(file, arrays by name) of each split that there is."""
  contents = {split: _split(folder, split) for split in SPLITS}
  for split in ('train', 'test'):
    if contents[split] is None:
      raise DataError(
        f'{folder} has no {split} split: it needs {split}.npz (arrays features '
        f'and labels), or {split}_features.npy and {split}_labels.npy.'
      )
  return {split: content for split, content in contents.items() if content}


def _split(folder: pathlib.Path, split: str):
  """(file, arrays by name) of a split, None if there is no such split."""
  archive = folder / f'{split}.npz'
  if archive.exists():
    arrays = _load(archive)
    missing = {'features', 'labels'} - arrays.keys()
    if missing:
      raise DataError(
        f'{archive} has no array {min(missing)!r}: it needs features [N, d] '
        f'and labels [N], and has {quote_some(arrays) or "none"}.'
      )
    return archive, arrays
  files = {
    name: folder / f'{split}_{name}.npy' for name in ('features', 'labels')
  }
  missing = [file for file in files.values() if not file.exists()]
  if len(missing) == len(files):
    return None
  if missing:
    present = next(file for file in files.values() if file not in missing)
    raise DataError(f'{missing[0]} is missing beside {present.name}.')
  return files['features'], dict(
    features=_load(files['features'], 'r'), labels=_load(files['labels'])
  )


def _load(file: pathlib.Path, mmap_mode: str | None = None):
  try:
    if file.suffix == '.npz':
      return load_archive(file)
    return load_array(file, mmap_mode)
  except (OSError, ArrayError) as error:
    raise DataError(
      f'{file} cannot be read as plain NumPy arrays: {describe_error(error)}.'
    ) from error


def _class_names(folder, train) -> np.ndarray | None:
  file, arrays = train
  names = arrays.get('class_names')
  if names is None and (folder / 'class_names.npy').exists():
    file = folder / 'class_names.npy'
    names = _load(file)
  if names is None:
    return None
  if names.ndim != 1 or names.dtype.kind != 'U':
    raise DataError(
      f'{file}: class_names must be a row of texts, got {names.dtype} of shape '
      f'{list(names.shape)}.'
    )
  return names


# --- Checks -------------------------------------------------------------------


def _check_class_names(file, arrays, class_names):
  """Raises DataError if a split numbers the classes in an order of its own."""
  own = arrays.get('class_names')
  named = arrays['labels'].dtype.kind == 'U'
  if own is not None and not named and not np.array_equal(own, class_names):
    raise DataError(
      f'{file}: class_names must be those of the train split, in the same '
      'order: number the labels of all splits alike.'
    )


def _check(file, features, labels):
  if features.ndim != 2 or features.dtype.kind != 'f':
    raise DataError(
      f'{file}: features must be floating-point numbers [N, d], got '
      f'{features.dtype} of shape {list(features.shape)}.'
    )
  if labels.shape != (len(features),):
    raise DataError(
      f'{file}: there must be a label for each of the {len(features):,} rows '
      f'of features, got labels of shape {list(labels.shape)}.'
    )
  if not features.size:
    raise DataError(f'{file} holds no features.')
  dtype = Arrays(features, labels).dtype
  for start in range(0, len(features), _ROWS):
    with np.errstate(over='ignore'):  # Too large for float32: infinite.
      rows = np.asarray(features[start : start + _ROWS], dtype)
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
      raise DataError(
        f'{file}: features are not all finite, first (as {dtype}) in row '
        f'{start + int(np.argmin(finite))}.'
      )


def _indices(file, labels, class_names, hierarchy) -> np.ndarray:
  """Indices in the hierarchy's class order, int32[N], of names or indices."""
  tree_names = np.array(hierarchy.class_names)
  if labels.dtype.kind == 'U':
    unknown = np.setdiff1d(labels, tree_names)
    if len(unknown):
      raise DataError(
        f'{file}: {len(unknown):,} labels are not classes of the hierarchy: '
        f'{quote_some(unknown.tolist())}.'
      )
    order = np.argsort(tree_names)
    indices = order[np.searchsorted(tree_names, labels, sorter=order)]
    return indices.astype(np.int32)
  if labels.dtype.kind not in 'iu':
    raise DataError(
      f'{file}: labels must be integers or names, got {labels.dtype}.'
    )
  count = len(tree_names if class_names is None else class_names)
  bad = np.flatnonzero((labels < 0) | (labels >= count))
  if len(bad):
    raise DataError(
      f'{file}: labels must be in 0..{count - 1}, one for each class, got '
      f'{labels[bad[0]]} in row {bad[0]}.'
    )
  if class_names is None:
    return labels.astype(np.int32)
  try:
    table = class_table(tuple(class_names.tolist()), hierarchy)
  except DataError as error:
    raise DataError(f'{file}, class_names: {error}') from error
  return table[labels]
