# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Large data sets of TensorFlow Datasets: images stay encoded in records."""

from collections.abc import Callable, Mapping, Sequence
import hashlib
import io
import os
import pathlib

from absl import logging
import numpy as np

from hafjax.data import decode
from hafjax.data.decode import ImageDecoder
from hafjax.data.labels import relabel
from hafjax.data.tfds import tfds_builder
from hafjax.files.arrays import ArrayError
from hafjax.files.arrays import load_array


class Encoded(Sequence):
  """Streams of the encoded images in a TFDS data source."""

  def __init__(self, source):
    self._source = source

  def __len__(self) -> int:
    return len(self._source)

  def __getitem__(self, index: int) -> io.BytesIO:
    return io.BytesIO(self._source[int(index)]['image'])


def reader(name: str, test: str) -> Callable[..., dict[str, decode.Files]]:
  """A `Spec.read` of a TFDS data set.

  Args:
    name: TFDS name, such as 'imagenet2012'.
    test: TFDS's name of the split to test on.
  """

  def read(hierarchy, config):
    splits, class_names = tfds_files(
      name,
      config.data_dir,
      dict(train='train', test=test),
      ImageDecoder.from_config(config, 'resized'),
      decode.cache_folder(config.input.cache_dir),
    )
    return relabel(splits, class_names, hierarchy)

  return read


def tfds_files(
  name: str,
  data_dir: str,
  splits: Mapping[str, str],
  decoder: ImageDecoder,
  cache: pathlib.Path,
) -> tuple[dict[str, decode.Files], tuple[str, ...]]:
  """Splits of a TFDS data set whose images are decoded when they are needed.

  Labels are in the records too: they are read once, which takes a pass over
  the files, and kept in `cache`.

  Args:
    name: TFDS name, such as 'imagenet2012'.
    data_dir: see `tfds.tfds_builder`.
    splits: TFDS's split by ours, such as dict(test='validation').
    decoder: how images are read.
    cache: folder for labels.

  Returns:
    The splits, labeled in TFDS's class order, and the names of its classes.

  Raises:
    DataError: as `tfds.tfds_builder`.
  """
  import tensorflow_datasets as tfds

  builder = tfds_builder(name, data_dir)
  encoded = dict(image=tfds.decode.SkipDecoding())
  files = {}
  for split, tfds_split in splits.items():
    source = builder.as_data_source(split=tfds_split, decoders=encoded)
    labels = _labels(builder, tfds_split, source, cache)
    files[split] = decode.Files(
      Encoded(source), labels, decoder, are_streams=True
    )
  return files, tuple(builder.info.features['label'].names)


def _labels(builder, split, source, cache) -> np.ndarray:
  identity = (
    str(builder.data_path),
    builder.info.full_name,
    split,
    len(source),
  )
  key = hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
  file = cache / f'labels_{key}.npy'
  try:
    return load_array(file)
  except FileNotFoundError:
    pass
  except (OSError, ArrayError) as error:
    logging.warning('%s is damaged (%s): read again.', file, error)
  logging.info(
    'Reading %s labels of %s, %s.', f'{len(source):,}', builder.name, split
  )
  labels = np.array([record['label'] for record in source], np.int32)
  try:
    cache.mkdir(parents=True, exist_ok=True)
    # A kill while writing leaves no damaged file under the final name.
    temporary = file.with_suffix(f'.{os.getpid()}.tmp.npy')
    np.save(temporary, labels)
    os.replace(temporary, file)
  except OSError as error:
    logging.warning('Labels cannot be kept in %s (%s).', cache, error)
  return labels
