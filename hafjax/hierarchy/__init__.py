# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Class hierarchies: trees, their distances, and the files they live in.

    python -m hafjax.hierarchy cifar100        # or a file: a summary and a tree

A hierarchy is a rooted tree whose leaves are the K classes. Definitions follow
HAFrame, arXiv 2303.05689: the height of a node is the number of edges on the
longest way down to a leaf, and two classes are as far apart as their lowest
common ancestor (LCA) is high. Leaves may lie at different depths, and nodes
with a single child count as a level.

Five file formats are known (more are one row in `formats.registry.FORMATS`):

    paths   .txt   one class a line, `root/mammal/wolf`; a slash in a name is \/
    edges   .tsv   one edge a line, `mammal<tab>wolf`
    table   .csv   one class a row, columns from coarse to fine: `table`
    json    .json  {"mammal": ["wolf", ...]}, or names and children: `nested`
    newick  .nwk   ((wolf,dog)mammal,car)root; as in `newick`

All are UTF-8. Classes are in the order of the lines or rows, of first
appearance in edges, and of the file in JSON and Newick, which may say otherwise
and are written so where they must. What a format cannot hold is refused, so
that a file is always read back as it was written. `builders` makes hierarchies
from the annotations of data sets and from WordNet.
"""

from hafjax.hierarchy import builders
from hafjax.hierarchy.checks import HierarchyError
from hafjax.hierarchy.description import problems
from hafjax.hierarchy.description import summary
from hafjax.hierarchy.formats.registry import builtin_names
from hafjax.hierarchy.formats.registry import load_hierarchy
from hafjax.hierarchy.formats.registry import save_hierarchy
from hafjax.hierarchy.formats.text import PathLike
from hafjax.hierarchy.tree import KINDS
from hafjax.hierarchy.tree import Hierarchy

__all__ = [
  'KINDS',
  'Hierarchy',
  'HierarchyError',
  'PathLike',
  'builders',
  'builtin_names',
  'load_hierarchy',
  'problems',
  'save_hierarchy',
  'summary',
]
