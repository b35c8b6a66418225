# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of hafjax.hierarchy, against counting on the paths themselves."""

import copy
import dataclasses
import itertools
import os
import pathlib
import pickle
import re
import subprocess
import sys

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest

from hafjax import hierarchy
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import HierarchyError
from hafjax.hierarchy import builtin_names
from hafjax.hierarchy import load_hierarchy
from hafjax.hierarchy import save_hierarchy
from hafjax.hierarchy.__main__ import main as run_command
from tests import conftest
from tests import strategies

Hierarchy = Hierarchy
HierarchyError = HierarchyError

PAPER_TREES = (
  'cifar100',
  'fgvc_aircraft',
  'inaturalist19',
  'tiered_imagenet_h',
)

# Ragged, with a unary node, and 'other' twice; classes not in tree order.
RAGGED = ('root/b/other/x', 'root/y', 'root/a/other/z', 'root/b/w', 'root/b/v')


def _prefixes(path):
  return [path[: i + 1] for i in range(len(path))]


def _brute_force(tree, kind):
  """Distances by definition: a node is the list of names that leads to it."""
  paths = [tuple(path.split('/')) for path in tree.paths()]
  height = max(len(path) for path in paths) - 1

  def lca(a, b):
    return max(set(_prefixes(a)) & set(_prefixes(b)), key=len)

  def node_height(node):
    below = [path for path in paths if path[: len(node)] == node]
    return max(len(path) for path in below) - len(node)

  def distance(a, b):
    if a == b:
      return 0
    if kind == 'lca_depth':
      return height - (len(lca(a, b)) - 1)
    return node_height(lca(a, b))

  return np.array([[distance(a, b) for b in paths] for a in paths])


def _edges(tree):
  names = tree.node_names
  return [
    (names[parent], names[child])
    for child, parent in enumerate(tree.parents)
    if parent >= 0
  ]


def _with_names(tree, names):
  """The same tree and class order under other names."""
  classes = [names[leaf] for leaf in tree.leaves]
  return Hierarchy.from_parents(tree.parents, names, classes)


def _numbered(tree):
  """The same with a name of its own for each node, as edges need it."""
  return _with_names(tree, [f'node {i}' for i in range(tree.num_nodes)])


def _class_paths(name):
  return conftest.REFERENCE / 'hierarchies' / f'{name}.txt'


class TestReference:
  @pytest.mark.parametrize('name', PAPER_TREES)
  def test_distances(self, reference, name):
    arrays = reference('distances')
    tree = load_hierarchy(_class_paths(name))
    height = arrays[f'{name}_distance']
    depth = arrays[f'{name}_distance_depth']
    assert tree.distances().dtype == np.int32
    np.testing.assert_array_equal(tree.distances(), height)
    np.testing.assert_array_equal(tree.distances('lca_depth'), depth)
    np.testing.assert_array_equal(
      arrays[f'{name}_distance_released'], tree.distances('lca_depth')
    )

  def test_cifar100_is_the_tree_of_the_papers(self, reference):
    arrays = reference('distances')
    tree = load_hierarchy('cifar100')
    np.testing.assert_array_equal(tree.distances(), arrays['cifar100_distance'])
    # There, L4-i is the official superclass i; their names are alphabetical.
    superclasses = [path.split('/')[4] for path in tree.paths()]
    paths = _class_paths('cifar100').read_text().splitlines()
    official = [path.split('/')[4] for path in paths]
    sorted_names = sorted(set(superclasses))
    assert official == [f'L4-{sorted_names.index(s)}' for s in superclasses]


class TestBuiltin:
  def test_names(self):
    names = builtin_names()
    assert {'cifar100', 'fashion_mnist', 'quickstart'} <= set(names)

  @pytest.mark.parametrize(
    'name, level_sizes',
    [
      ('cifar100', [1, 2, 4, 8, 20, 100]),
      ('fashion_mnist', [1, 3, 5, 10]),
      ('quickstart', [1, 3, 6, 12, 30]),
    ],
  )
  def test_levels(self, name, level_sizes):
    tree = load_hierarchy(name)
    assert np.bincount(tree.node_depths).tolist() == level_sizes
    assert set(tree.node_depths[tree.leaves]) == {tree.height}

  def test_class_order(self):
    cifar100 = load_hierarchy('cifar100').class_names
    assert list(cifar100) == sorted(cifar100)
    fashion = load_hierarchy('fashion_mnist').class_names
    assert fashion[0] == 'T-shirt or top'
    assert [fashion[i] for i in (3, 8, 9)] == ['Dress', 'Bag', 'Ankle boot']

  def test_comes_before_a_file_of_that_name(self, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pathlib.Path('quickstart').write_text('root/a\n')
    assert load_hierarchy('quickstart').num_classes == 30
    file = pathlib.Path('quickstart')
    assert load_hierarchy(file, 'paths').num_classes == 1


class TestByHand:
  """One small tree, all of it."""

  tree = Hierarchy.from_paths(RAGGED)

  def test_nodes(self):
    assert self.tree.class_names == ('x', 'y', 'z', 'w', 'v')
    assert self.tree.node_names == (
      *('root', 'b', 'y', 'a'),
      *('other', 'w', 'v', 'other'),
      *('x', 'z'),
    )
    assert self.tree.parents.tolist() == [-1, 0, 0, 0, 1, 1, 1, 3, 4, 7]
    assert self.tree.leaves.tolist() == [8, 2, 9, 5, 6]
    assert self.tree.node_depths.tolist() == [0, 1, 1, 1, 2, 2, 2, 2, 3, 3]
    assert self.tree.node_heights.tolist() == [3, 2, 0, 2, 1, 0, 0, 1, 0, 0]
    assert (self.tree.num_classes, self.tree.num_nodes) == (5, 10)
    assert self.tree.height == 3
    for array in (self.tree.parents, self.tree.leaves):
      assert array.dtype == np.int32

  def test_distances(self):
    height = [
      [0, 3, 3, 2, 2],
      [3, 0, 3, 3, 3],
      [3, 3, 0, 3, 3],
      [2, 3, 3, 0, 2],
      [2, 3, 3, 2, 0],
    ]
    assert self.tree.distances().tolist() == height
    # Here all LCAs but the root are as high as the tree less their depth.
    assert self.tree.distances('lca_depth').tolist() == height

  def test_kinds_differ_where_leaves_are_less_deep(self):
    tree = Hierarchy.from_paths(['root/a/1', 'root/a/2', 'root/b/c/d'])
    assert tree.distances()[0].tolist() == [0, 1, 3]
    assert tree.distances('lca_depth')[0].tolist() == [0, 2, 3]

  def test_level_labels(self):
    # 'y' is at depth 1 and stands for itself below.
    labels = [self.tree.level_labels(level).tolist() for level in range(4)]
    assert labels[0] == [0, 0, 0, 0, 0]
    assert labels[1] == [0, 1, 2, 0, 0]
    assert labels[2] == [0, 1, 2, 3, 4]
    assert labels[3] == [0, 1, 2, 3, 4]

  def test_ancestor_matrix(self):
    columns = self.tree.ancestor_matrix().T
    assert columns[0].tolist() == [True] * 5
    assert columns[1].tolist() == [True, False, False, True, True]
    assert columns[9].tolist() == [False, False, True, False, False]

  def test_paths(self):
    assert self.tree.paths() == list(RAGGED)
    assert self.tree.paths(' > ')[1] == 'root > y'

  def test_one_class(self):
    tree = Hierarchy.from_paths(['root/a'])
    assert (tree.num_classes, tree.num_nodes, tree.height) == (1, 2, 1)
    assert tree.distances().tolist() == [[0]]

  def test_paths_may_be_sequences(self):
    paths = [path.split('/') for path in RAGGED]
    for given in (paths, map(tuple, paths), np.array(RAGGED)):
      assert Hierarchy.from_paths(given) == self.tree
    assert Hierarchy.from_paths(self.tree.paths('::'), sep='::') == self.tree
    # A name may hold the separator when nothing needs to be taken apart.
    assert Hierarchy.from_paths([['root', 'T-shirt/top']]).class_names == (
      'T-shirt/top',
    )

  def test_repr(self):
    assert repr(self.tree) == 'Hierarchy(5 classes, 10 nodes, height 3)'


class TestProperties:
  @hypothesis.given(strategies.trees(max_nodes=14))
  def test_distances(self, tree):
    for kind in ('lca_height', 'lca_depth'):
      distances = tree.distances(kind)
      np.testing.assert_array_equal(distances, _brute_force(tree, kind))
      assert distances.dtype == np.int32

  @hypothesis.given(strategies.trees(min_classes=3))
  def test_ultrametric(self, tree):
    for kind in ('lca_height', 'lca_depth'):
      d = tree.distances(kind)
      assert np.array_equal(d, d.T)
      assert np.array_equal(d == 0, np.eye(len(d), dtype=bool))
      assert d.max() <= tree.height
      through = np.maximum(d[:, :, None], d[None, :, :]).min(axis=1)
      assert np.all(d <= through)

  @hypothesis.given(strategies.trees())
  def test_node_order(self, tree):
    parents = tree.parents
    assert parents[0] == -1
    assert np.all(parents < np.arange(tree.num_nodes))
    assert np.all(np.diff(parents) >= 0)
    assert np.all(np.diff(tree.node_depths) >= 0)
    children = parents[1:]
    depths, heights = tree.node_depths, tree.node_heights
    assert np.all(depths[1:] == depths[children] + 1)
    for node in range(tree.num_nodes):
      below = heights[1:][children == node]
      assert heights[node] == (below.max() + 1 if len(below) else 0)

  @hypothesis.given(strategies.trees())
  def test_ancestors_and_levels(self, tree):
    paths = [path.split('/') for path in tree.paths()]
    ancestors = tree.ancestor_matrix()
    assert ancestors.dtype == bool
    for row, path in zip(ancestors, paths, strict=True):
      # Breadth-first order is top-down order along one path.
      assert [tree.node_names[v] for v in np.flatnonzero(row)] == path
    for level in range(tree.height + 1):
      cut = [tuple(path[: level + 1]) for path in paths]
      expected = [list(dict.fromkeys(cut)).index(prefix) for prefix in cut]
      assert tree.level_labels(level).tolist() == expected

  @hypothesis.given(strategies.trees(), st.randoms(use_true_random=False))
  def test_same_however_made(self, tree, random):
    assert Hierarchy.from_paths(tree.paths()) == tree
    # Nodes in any order.
    order = list(range(tree.num_nodes))
    random.shuffle(order)
    parents = [
      order.index(tree.parents[node]) if node else -1 for node in order
    ]
    names = [tree.node_names[node] for node in order]
    shuffled = Hierarchy.from_parents(parents, names, tree.class_names)
    assert shuffled == tree
    assert hash(shuffled) == hash(tree)
    # Edges in any order.
    numbered = _numbered(tree)
    edges = _edges(numbered)
    random.shuffle(edges)
    assert Hierarchy.from_edges(edges, numbered.class_names) == numbered

  @hypothesis.given(strategies.trees(), st.randoms(use_true_random=False))
  def test_renamed_and_reordered_classes(self, tree, random):
    assert np.array_equal(_numbered(tree).distances(), tree.distances())
    order = list(range(tree.num_classes))
    random.shuffle(order)
    paths = tree.paths()
    reordered = Hierarchy.from_paths([paths[k] for k in order])
    assert reordered.class_names == tuple(tree.class_names[k] for k in order)
    expected = tree.distances()[np.ix_(order, order)]
    assert np.array_equal(reordered.distances(), expected)

  def test_deep(self):
    # Far beyond Python's recursion limit; a class hangs from every tenth node.
    depth = 5_000
    parents = [-1, *range(depth), *range(0, depth, 10)]
    names = [str(node) for node in range(len(parents))]
    tree = Hierarchy.from_parents(parents, names)
    assert tree.height == depth
    from_deepest = [0, *range(depth, 0, -10)]
    assert tree.distances()[0].tolist() == from_deepest
    assert tree.distances('lca_depth')[0].tolist() == from_deepest
    edges = list(itertools.pairwise(names))
    assert Hierarchy.from_edges(edges).height == tree.num_nodes - 1
    assert len(list(hierarchy.summary(tree, all_nodes=True))) > tree.num_nodes


class TestValue:
  """A hierarchy is a value: it does not change, and is compared by content."""

  tree = Hierarchy.from_paths(RAGGED)

  @pytest.mark.parametrize(
    'name', ['parents', 'leaves', 'node_heights', 'node_depths']
  )
  def test_immutable(self, name):
    for tree in (self.tree, copy.deepcopy(self.tree)):
      with pytest.raises(ValueError, match='read-only'):
        getattr(tree, name)[0] = 7
      with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(tree, name, np.zeros(3, np.int32))

  def test_input_is_copied(self):
    parents = np.array([-1, 0, 0], np.int32)
    tree = Hierarchy.from_parents(parents, ['root', 'a', 'b'])
    parents[:] = 0
    assert tree.parents.tolist() == [-1, 0, 0]

  def test_results_are_fresh(self):
    self.tree.distances()[:] = 7
    self.tree.level_labels(1)[:] = 7
    self.tree.ancestor_matrix()[:] = False
    assert self.tree == Hierarchy.from_paths(RAGGED)
    assert self.tree.distances().max() == 3
    assert self.tree.ancestor_matrix().any()

  def test_equality(self):
    same = Hierarchy.from_paths(RAGGED)
    assert self.tree == same
    assert len({self.tree, same}) == 1
    assert pickle.loads(pickle.dumps(self.tree)) == self.tree
    others = [
      Hierarchy.from_paths(RAGGED[::-1]),
      Hierarchy.from_paths(RAGGED[:-1]),
      Hierarchy.from_paths([path.replace('w', 'W') for path in RAGGED]),
      Hierarchy.from_paths([path.replace('/a/', '/b/') for path in RAGGED]),
      RAGGED,
      None,
    ]
    for other in others:
      assert self.tree != other


class TestFiles:
  @hypothesis.given(strategies.trees())
  @hypothesis.settings(max_examples=30)
  def test_round_trip(self, tmp_path_factory, tree):
    folder = tmp_path_factory.getbasetemp()
    for file, given in (
      (folder / 'tree.txt', tree),
      (folder / 'tree.tsv', _numbered(tree)),
    ):
      save_hierarchy(given, file)
      assert load_hierarchy(file) == given
      assert load_hierarchy(str(file)) == given

  @hypothesis.given(
    st.lists(
      st.text(st.sampled_from('ab/#\t \n\r\0\ufeff\u2028\ud800é'), min_size=1),
      min_size=3,
      max_size=3,
      unique=True,
    ).filter(lambda names: all(name.strip() for name in names))
  )
  def test_any_names_come_back_or_are_refused(self, tmp_path_factory, names):
    tree = Hierarchy.from_parents([-1, 0, 0], names)
    for suffix in ('txt', 'tsv'):
      file = tmp_path_factory.getbasetemp() / f'names.{suffix}'
      file.unlink(missing_ok=True)
      try:
        save_hierarchy(tree, file)
      except HierarchyError as error:
        assert 'names.' in str(error)
        assert not file.exists()
      else:
        assert load_hierarchy(file) == tree

  @pytest.mark.parametrize('name', builtin_names())
  def test_builtin_round_trip(self, tmp_path, name):
    tree = load_hierarchy(name)
    save_hierarchy(tree, tmp_path / 'tree.txt')
    assert load_hierarchy(tmp_path / 'tree.txt') == tree

  def test_comments_blanks_and_line_ends(self, tmp_path):
    file = tmp_path / 'tree.txt'
    file.write_bytes(
      b'\xef\xbb\xbf# a tree\r\n\r\n  root / a b/x \r\nroot/\xc3\xa9/y'
    )
    assert load_hierarchy(file).paths() == ['root/a b/x', 'root/é/y']

  def test_edges_in_class_order_of_first_appearance(self, tmp_path):
    file = tmp_path / 'tree.tsv'
    file.write_text('# an edge a line\na\ty\nroot\ta\nroot\tx\na\tz\n')
    tree = load_hierarchy(file)
    assert tree.paths() == ['root/a/y', 'root/x', 'root/a/z']

  def test_format_by_argument(self, tmp_path):
    tree = Hierarchy.from_paths(['root/a', 'root/b'])
    save_hierarchy(tree, tmp_path / 'tree.txt', 'edges')
    assert (tmp_path / 'tree.txt').read_text() == 'root\ta\nroot\tb\n'
    assert load_hierarchy(tmp_path / 'tree.txt', 'edges') == tree

  def test_a_failed_write_leaves_the_old_file(self, tmp_path, monkeypatch):
    def no_replace(*_):
      raise OSError(28, 'No space left on device')

    file = tmp_path / 'tree.txt'
    file.write_text('old')
    monkeypatch.setattr(os, 'replace', no_replace)
    with pytest.raises(HierarchyError, match='No space left on device'):
      save_hierarchy(Hierarchy.from_paths(RAGGED), file)
    assert file.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [file]


# File, its content, and the message without the file's folder.
FILE_ERRORS = [
  (
    't.txt',
    'root/dog/poodle\n\n# wild\nroot/wild/wolf\nroot/dog/wolf\n',
    "t.txt, line 5: class 'wolf' is already on line 4.",
  ),
  (
    't.txt',
    'root/a\nroot/a/b\n',
    "t.txt, line 2: inner node 'a' is also a class, on line 1.",
  ),
  (
    't.txt',
    'root/a/b\nroot/c\nroot/a\n',
    "t.txt, line 3: class 'a' is also an inner node, on line 1.",
  ),
  (
    't.txt',
    'root/a\nroot//b\n',
    "t.txt, line 2: empty name in 'root//b'.",
  ),
  ('t.txt', 'root/a/ \n', "t.txt, line 1: empty name in 'root/a/'."),
  ('t.txt', '/root/a\n', "t.txt, line 1: empty name in '/root/a'."),
  (
    't.txt',
    'root/a\nb\n',
    "t.txt, line 2: 'b' is one name only, but a path leads from the root to a "
    'class.',
  ),
  (
    't.txt',
    'root/a\nroof/b\n',
    "t.txt, line 2: several roots: 'roof' here and 'root' on line 1.",
  ),
  ('t.txt', '', 't.txt: no classes.'),
  ('t.txt', '# nothing\n\n', 't.txt: no classes.'),
  ('t.txt', b'root/a\nroot/\xff\n', 't.txt, line 2: this is not UTF-8 text.'),
  (
    't.txt',
    b'\xef\xbb\xbfroot/a\n\xff',
    't.txt, line 2: this is not UTF-8 text.',
  ),
  ('t.txt', b'root/a\n\0\0\0', 't.txt, line 2: this is not UTF-8 text.'),
  (
    't.txt',
    'root/a\n'.encode('utf-16'),
    't.txt, line 1: this is not UTF-8 text.',
  ),
  (
    't.tsv',
    'root\ta\n\nroot b\n',
    "t.tsv, line 3: expected 2 columns separated by '\\t', got 1.",
  ),
  (
    't.tsv',
    'root\ta\tb\n',
    "t.tsv, line 1: expected 2 columns separated by '\\t', got 3.",
  ),
  (
    't.tsv',
    'root\ta\nroot\tb\na\tc\nb\tc\n',
    "t.tsv, line 4: 'c' has two parents: 'b' here and 'a' on line 3.",
  ),
  (
    't.tsv',
    'root\ta\nroot\tb\nroot\ta\n',
    "t.tsv, line 3: the edge from 'root' to 'a' is already on line 1.",
  ),
  (
    't.tsv',
    'root\ta\nb\tc\nc\td\nd\tb\n',
    "t.tsv, line 4: this edge closes a cycle, 'b' > 'c' > 'd' > 'b'.",
  ),
  (
    't.tsv',
    'root\ta\nb\tb\n',
    "t.tsv, line 2: this edge closes a cycle, 'b' > 'b'.",
  ),
  (
    't.tsv',
    'root\ta\nb\tc\n',
    "t.tsv, line 2: several roots: 'b' here and 'root' on line 1.",
  ),
  ('t.tsv', 'root\t\n', "t.tsv, line 1: empty name in the edge 'root' > ''."),
  ('t.tsv', '\n', 't.tsv: no classes.'),
  (
    't.xml',
    'root,a\n',
    "t.xml: no format is known by the suffix '.xml'; known formats are 'paths' "
    "(.txt), 'edges' (.tsv), 'table' (.csv), 'json' (.json), 'newick' (.nwk, "
    '.newick).',
  ),
]

MEMORY_ERRORS = [
  (
    lambda: Hierarchy.from_paths(['r/a', 'r/b/a']),
    "path 2: class 'a' is already in path 1.",
  ),
  (
    lambda: Hierarchy.from_paths(['r/a', ['r', 5]]),
    "path 2: expected a string or a sequence of names, got ['r', 5].",
  ),
  (lambda: Hierarchy.from_paths([]), 'paths: no classes.'),
  (
    lambda: Hierarchy.from_paths('r/a'),
    "paths must be a sequence, got 'r/a'.",
  ),
  (
    lambda: Hierarchy.from_paths({'r/a', 'r/b'} - {'r/b'}),
    "paths must be a sequence, got {'r/a'}.",
  ),
  (
    lambda: Hierarchy.from_paths(['r/a'], sep=''),
    "sep must be a string of a character or more, got ''.",
  ),
  (
    lambda: Hierarchy.from_edges([('r', 'a'), ('b', 'a')]),
    "edge 2: 'a' has two parents: 'b' here and 'r' in edge 1.",
  ),
  (
    lambda: Hierarchy.from_edges([('r', 'a', 'b')]),
    "edge 1: expected a pair of names (parent, child), got ('r', 'a', 'b').",
  ),
  (
    lambda: Hierarchy.from_edges(['ab']),
    "edge 1: expected a pair of names (parent, child), got 'ab'.",
  ),
  (
    lambda: Hierarchy.from_edges([('r', 'a')], ['a', 'a']),
    "classes[1]: class 'a' is already at classes[0].",
  ),
  (
    lambda: Hierarchy.from_edges([('r', 'a')], ['r']),
    "classes[0]: 'r' is an inner node, not a leaf.",
  ),
  (
    lambda: Hierarchy.from_edges([('r', 'a')], ['b']),
    "classes[0]: 'b' is not in the tree.",
  ),
  (
    lambda: Hierarchy.from_edges([('r', 'a'), ('r', 'b')], ['b']),
    "classes: the leaf 'a' is missing; every leaf is a class.",
  ),
  (
    lambda: Hierarchy.from_edges([('r', 'a')], [None]),
    'classes[0] must be a string, got None.',
  ),
  (
    lambda: Hierarchy.from_parents([-1, 0.5], ['r', 'a']),
    'parents must be whole numbers of shape [N], -1 for the root, got '
    '[-1, 0.5].',
  ),
  (
    lambda: Hierarchy.from_parents([-1, 10**30], ['r', 'a']),
    'parents must be whole numbers of shape [N], -1 for the root, got '
    f'[-1, {10**30}].',
  ),
  (
    lambda: Hierarchy.from_parents([-1, 2**40], ['r', 'a']),
    f'parents[1] is {2**40}, but the nodes are 0 to 1, and -1 stands for no '
    'parent.',
  ),
  (
    lambda: Hierarchy.from_parents([-1, -2], ['r', 'a']),
    'parents[1] is -2, but the nodes are 0 to 1, and -1 stands for no parent.',
  ),
  (
    lambda: Hierarchy.from_parents(np.uint8([255, 0]), ['r', 'a']),
    'parents[0] is 255, but the nodes are 0 to 1, and -1 stands for no parent.',
  ),
  (
    lambda: Hierarchy.from_parents([-1, 0], ['r']),
    'names has 1 items, but parents has 2.',
  ),
  (
    lambda: Hierarchy.from_parents([-1, 0], ['r', ' ']),
    'names[1] is an empty name.',
  ),
  (
    lambda: Hierarchy.from_parents([-1, 0], ['r', float('nan')]),
    'names[1] must be a string, got nan.',
  ),
  (
    lambda: Hierarchy.from_parents([-1, 0, 0, 2], ['r', 'a', 'b', 'a']),
    "names[3]: class 'a' is already at names[1].",
  ),
  (
    lambda: Hierarchy.from_parents([-1, 0, 0, 1, 2], ['r', 'a', 'a', 'b', 'c']),
    "names[2]: 'a' is already at names[1], below the same parent.",
  ),
  (
    lambda: Hierarchy.from_parents([-1, 2, 1], ['r', 'a', 'b']),
    "parents[1]: node 1 is its own ancestor ('a' > 'b' > 'a').",
  ),
  (
    lambda: Hierarchy.from_parents([0], ['r']),
    "parents[0]: node 0 is its own ancestor ('r' > 'r').",
  ),
  (
    lambda: Hierarchy.from_parents(
      [1, 2, 3, *range(4, 20), 0], map(str, range(20))
    ),
    "parents[0]: node 0 is its own ancestor ('0' > '1' > '2' > '3' > ... > "
    "'18' > '19' > '0').",
  ),
  (
    lambda: Hierarchy.from_parents([-1, 0, -1], ['r', 'a', 's']),
    "parents: there are 2 roots (-1), such as nodes 0 ('r') and 2 ('s'), but a "
    'tree has one.',
  ),
  (
    lambda: Hierarchy.from_parents([-1], ['r']),
    'parents: there are no classes, only a root; a class has a node above it.',
  ),
  (
    lambda: Hierarchy.from_parents([], []),
    'parents: there are no classes, for there is no node.',
  ),
  (
    lambda: Hierarchy.from_paths(RAGGED).distances('hops'),
    "kind must be 'lca_height' or 'lca_depth', got 'hops'.",
  ),
  (
    lambda: Hierarchy.from_paths(RAGGED).level_labels(4),
    'level must be a whole number from 0 to 3, got 4.',
  ),
  (
    lambda: Hierarchy.from_paths([['r', 'a/b']]).paths(),
    "the path 'r/a/b' would be misread, for one of its names clashes with '/'; "
    'pass another sep.',
  ),
  (
    lambda: Hierarchy.from_paths(['r/a:/b']).paths('::'),
    "the path 'r::a:::b' would be misread, for one of its names clashes with "
    "'::'; pass another sep.",
  ),
  (
    lambda: load_hierarchy('no_such_tree'),
    "'no_such_tree' is neither a built-in hierarchy "
    f'({", ".join(builtin_names())}) nor a file that exists.',
  ),
  (
    lambda: load_hierarchy(None),
    'expected the name of a hierarchy or a file, got None.',
  ),
  (
    lambda: load_hierarchy('x\0.txt'),
    r"'x\x00.txt' cannot be read: embedded null byte.",
  ),
  (
    lambda: save_hierarchy(RAGGED[:1], 'x.txt'),
    "expected a Hierarchy, got ('root/b/other/x',).",
  ),
  (
    lambda: save_hierarchy(Hierarchy.from_paths(RAGGED), 'x.tsv'),
    "x.tsv cannot be written: two nodes are called 'other', which edges cannot "
    'tell apart.',
  ),
  (
    lambda: save_hierarchy(Hierarchy.from_paths(['#/a']), 'x.txt'),
    "x.txt cannot be written: a line that starts with '#' is read as a "
    'comment.',
  ),
  (
    lambda: save_hierarchy(
      Hierarchy.from_paths(RAGGED), 'no_such_folder/x.txt'
    ),
    "'no_such_folder/x.txt' cannot be written: No such file or directory.",
  ),
  (
    lambda: save_hierarchy(Hierarchy.from_paths(RAGGED), 'x.txt', 'xml'),
    "x.txt: format 'xml' is unknown; known formats are 'paths' (.txt), 'edges' "
    "(.tsv), 'table' (.csv), 'json' (.json), 'newick' (.nwk, .newick).",
  ),
]

JUNK = [
  None,
  -5,
  float('nan'),
  True,
  b'bytes',
  [None],
  [5],
  [[]],
  [[5, 6]],
  [[None, 'a']],
  [float('nan'), -1],
  [b'root/a'],
  {'a': 'b'},
  {'a'},
  np.zeros(3),
  np.zeros((2, 2), int),
  np.array(5),
  np.array([None, 'a'], object),
  object(),
  range(3, 0, -1),
  lambda: None,
]

TREE = Hierarchy.from_paths(RAGGED)
TAKES_NO_JUNK = [
  lambda junk: Hierarchy.from_paths(junk),
  lambda junk: Hierarchy.from_paths(['root/a', junk]),
  lambda junk: Hierarchy.from_paths(['root/a'], sep=junk),
  lambda junk: Hierarchy.from_edges(junk),
  lambda junk: Hierarchy.from_edges([('root', 'a'), junk]),
  lambda junk: Hierarchy.from_edges([('root', junk)]),
  lambda junk: Hierarchy.from_edges([('root', 'a')], [junk]),
  lambda junk: Hierarchy.from_parents(junk, ['root', 'a']),
  lambda junk: Hierarchy.from_parents([-1, junk], ['root', 'a']),
  lambda junk: Hierarchy.from_parents([-1, 0], junk),
  lambda junk: Hierarchy.from_parents([-1, 0], ['root', junk]),
  lambda junk: TREE.distances(junk),
  lambda junk: TREE.level_labels(junk),
  lambda junk: TREE.paths(junk),
  lambda junk: load_hierarchy(junk),
  lambda junk: save_hierarchy(junk, 'x.txt'),
  lambda junk: save_hierarchy(TREE, junk),
]
# These have a default, None.
TAKES_NONE = [
  lambda junk: Hierarchy.from_parents([-1, 0], ['root', 'a'], junk),
  lambda junk: load_hierarchy(__file__, junk),
  lambda junk: save_hierarchy(TREE, 'x.txt', junk),
]


@pytest.mark.usefixtures('unchecked')
class TestErrors:
  @pytest.mark.parametrize('name, content, message', FILE_ERRORS)
  def test_file(self, tmp_path, name, content, message):
    file = tmp_path / name
    file.write_bytes(
      content if isinstance(content, bytes) else content.encode()
    )
    with pytest.raises(HierarchyError) as error:
      load_hierarchy(file)
    assert str(error.value) == f'{tmp_path}/{message}'

  @pytest.mark.parametrize('make, message', MEMORY_ERRORS)
  def test_memory(self, make, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HierarchyError) as error:
      make()
    assert str(error.value) == message
    assert not list(tmp_path.iterdir())

  @pytest.mark.parametrize('junk', JUNK, ids=lambda junk: type(junk).__name__)
  def test_junk(self, junk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for function in TAKES_NO_JUNK + (TAKES_NONE if junk is not None else []):
      with pytest.raises(HierarchyError) as error:
        function(junk)
      assert re.fullmatch(r'[^\n]{10,300}\.', str(error.value))
    assert not list(tmp_path.iterdir())


class TestCommand:
  def test_summary(self, capsys):
    assert run_command(['fashion_mnist']) == 0
    lines = capsys.readouterr().out.splitlines()
    numbers = dict(re.split(r' {2,}', line) for line in lines[:7])
    assert numbers == {
      'classes': '10',
      'nodes': '19',
      'height': '3',
      'nodes per level': '1, 3, 5, 10',
      'unary nodes': '5',
      'leaf depths': '3 (10 classes)',
      'nodes by height': '10, 5, 3, 1',
    }
    assert lines[8:12] == [
      'root',
      '  clothing',
      '    tops',
      '      T-shirt or top  [0]',
    ]
    assert lines[8 + 19 :] == [
      '',
      'problems: 1',
      "- 5 inner nodes have a single child ('footwear', 'accessories', "
      "'trousers', ...): such a level tells no classes apart.",
    ]

  def test_long_trees_are_abbreviated(self, tmp_path, capsys):
    file = tmp_path / 'tree.txt'
    file.write_text('\n'.join(f'root/{i % 7}/c{i}' for i in range(300)))
    assert run_command([str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:] == [
      '... and 108 more nodes (see --all)',
      '',
      'problems: none',
    ]
    assert len(lines) == 8 + 201 + 2
    assert run_command([str(file), '--all']) == 0
    assert len(capsys.readouterr().out.splitlines()) == 8 + 308 + 2

  def test_many_levels_are_abbreviated(self, tmp_path, capsys):
    file = tmp_path / 'tree.txt'
    chain = '/'.join(f'n{i}' for i in range(99))
    file.write_text('\n'.join(f'{chain[:i]}/c{i}' for i in (2, 5, 8, 99)))
    assert run_command([str(file), '--format=paths']) == 0
    out = capsys.readouterr().out
    assert 'nodes per level  1, 2, 2, 2, 1, 1, 1, 1, 1, 1, ..., 1\n' in out
    assert 'leaf depths      1 (1 class), 2 (1 class), 3 (1 class), ' in out

  def test_errors_are_one_sentence(self, tmp_path):
    file = tmp_path / 'tree.txt'
    file.write_text('root/a\nroot/b/a\n')
    done = subprocess.run(
      [sys.executable, '-m', 'hafjax.hierarchy', file],
      capture_output=True,
      text=True,
      cwd=pathlib.Path(__file__).parents[2],
      check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ''
    assert done.stderr == f"{file}, line 2: class 'a' is already on line 1.\n"

  def test_errors_of_the_file_itself(self, tmp_path, capsys):
    for wrong in ('no_such_tree', str(tmp_path)):
      assert run_command([wrong]) == 1
      captured = capsys.readouterr()
      assert captured.out == ''
      assert captured.err.count('\n') == 1


class TestStrategy:
  """The trees that other tests rely on are as varied as they should be."""

  def test_finds_all_kinds(self):
    def ragged(tree):
      return len(set(tree.node_depths[tree.leaves])) > 1

    def unary(tree):
      return 1 in np.bincount(tree.parents[1:])

    def shared_names(tree):
      return len(set(tree.node_names)) < tree.num_nodes

    def out_of_order(tree):
      return any(a > b for a, b in itertools.pairwise(tree.leaves))

    without_shrinking = hypothesis.settings(
      phases=[hypothesis.Phase.generate], database=None
    )
    for kind in (ragged, unary, shared_names, out_of_order):
      hypothesis.find(strategies.trees(), kind, settings=without_shrinking)
