# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Small data sets of TensorFlow Datasets, in memory."""

from collections.abc import Callable

from absl import logging
import numpy as np

from hafjax.data.errors import DataError
from hafjax.data.labels import name_differences
from hafjax.data.labels import relabel
from hafjax.data.splits import Arrays
from hafjax.hierarchy import load_hierarchy


def reader(name: str) -> Callable[..., dict[str, Arrays]]:
  """A `Spec.read` of a TFDS data set with the classes of a built-in tree.

  Args:
    name: of both, such as 'cifar100'.
  """

  def read(hierarchy, config):
    class_names = load_hierarchy(name).class_names
    splits = tfds_splits(name, config.data_dir, class_names)
    return relabel(splits, class_names, hierarchy)

  return read


def tfds_builder(name: str, data_dir: str):
  """A prepared TFDS data set, for random access.

  Downloaded and prepared on first use, with TFDS's own progress bar.

  Args:
    name: TFDS name, such as 'cifar100'.
    data_dir: where TFDS keeps data sets; '' for its default (~/tensorflow_
      datasets).

  Raises:
    DataError: if the data set is neither prepared nor can be downloaded.
  """
  import requests
  import tensorflow_datasets as tfds

  try:
    # Random access, as Grain reads, needs ArrayRecord files.
    builder = tfds.builder(
      name, data_dir=data_dir or None, file_format='array_record'
    )
    if not builder.is_prepared():
      # TFDS would try for minutes before it gives up without a network.
      requests.head(builder.info.homepage, timeout=10)
    builder.download_and_prepare()
    return builder
  except Exception as error:  # TFDS and its downloaders raise many kinds.
    logging.info('The error of TFDS: %s', error)
    raise DataError(
      f'{name} is not prepared in {data_dir or "~/tensorflow_datasets"} and '
      f'could not be downloaded ({type(error).__name__}): prepare it where '
      f'there is a network (python -c "import tensorflow_datasets as tfds; '
      f"tfds.builder('{name}', data_dir='DIR', file_format='array_record')"
      '.download_and_prepare()") and point --config.data_dir at a copy of '
      'DIR, or run --config=configs/quickstart.py, which needs no data.'
    ) from error


def tfds_splits(
  name: str,
  data_dir: str,
  class_names: tuple[str, ...] | None = None,
) -> dict[str, Arrays]:
  """Train and test splits of a data set of small images, in memory.

  Args:
    name: TFDS name, such as 'cifar100'.
    data_dir: see `tfds_builder`.
    class_names: names that TFDS's labels must have, in order; None where TFDS
      spells them differently.

  Raises:
    DataError: as `tfds_builder`, or if it has other classes.
  """
  builder = tfds_builder(name, data_dir)
  names = tuple(builder.info.features['label'].names)
  if class_names is not None and names != class_names:
    raise DataError(
      f'TFDS lists other classes for {name} than its hierarchy: '
      + name_differences(names, class_names)
    )
  splits = {}
  for split in ('train', 'test'):
    source = builder.as_data_source(split=split)
    # One by one: Grain's threads take twice as long over images of this size.
    examples = [source[index] for index in range(len(source))]
    # TFDS shuffles when it prepares; ids, where there are any, keep the
    # published order, which decides what is held out for validation.
    examples.sort(key=lambda example: example.get('id', b''))
    splits[split] = Arrays(
      np.stack([example['image'] for example in examples]),
      np.asarray([example['label'] for example in examples], np.int32),
    )
  return splits
