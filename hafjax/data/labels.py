# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Labels in the order of a hierarchy's classes."""

import dataclasses

import numpy as np

from hafjax.data.splits import DataError
from hafjax.data.splits import Split
from hafjax.files.text import quote_some
from hafjax.hierarchy import Hierarchy


def name_differences(found, expected) -> str:
  differences = [
    f'{what} {quote_some(sorted(names))}'
    for what, names in (
      ('only in the data:', set(found) - set(expected)),
      ('only in the hierarchy:', set(expected) - set(found)),
    )
    if names
  ]
  return f'{"; ".join(differences) or "the same names in another order"}.'


def class_table(
  class_names: tuple[str, ...], hierarchy: Hierarchy
) -> np.ndarray:
  """Of each class of the data, its index in the hierarchy; int32[K].

  Raises:
    DataError: if data and hierarchy do not have the same classes.
  """
  if set(class_names) != set(hierarchy.class_names):
    raise DataError(
      'Data and hierarchy have different classes: '
      + name_differences(class_names, hierarchy.class_names)
    )
  position = {name: i for i, name in enumerate(hierarchy.class_names)}
  return np.array([position[name] for name in class_names], np.int32)


def relabel(
  splits: dict[str, Split],
  class_names: tuple[str, ...],
  hierarchy: Hierarchy,
) -> dict[str, Split]:
  """Renumbers labels from the data's class order to the hierarchy's.

  Raises:
    DataError: if data and hierarchy do not have the same classes.
  """
  table = class_table(class_names, hierarchy)
  return {
    name: dataclasses.replace(split, labels=table[split.labels])
    for name, split in splits.items()
  }
