# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Labels: from the class order of the data to that of the hierarchy."""

from collections.abc import Iterable

import numpy as np

from hafjax.data.errors import DataError
from hafjax.data.splits import Split
from hafjax.files.text import quote_some
from hafjax.hierarchy import Hierarchy


def class_table(
  class_names: tuple[str, ...], hierarchy: Hierarchy
) -> np.ndarray:
  """Index in the hierarchy of each class of the data, int32[K].

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
    name: split.with_labels(table[split.labels])
    for name, split in splits.items()
  }


def name_differences(
  of_data: Iterable[str], of_hierarchy: Iterable[str]
) -> str:
  """Which class names only one of the two has, for a message."""
  of_data, of_hierarchy = set(of_data), set(of_hierarchy)
  differences = [
    f'{where} {quote_some(sorted(names))}'
    for where, names in (
      ('only in the data:', of_data - of_hierarchy),
      ('only in the hierarchy:', of_hierarchy - of_data),
    )
    if names
  ]
  return f'{"; ".join(differences) or "the same names in another order"}.'
