# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the builders, on small files in the data sets' own layouts."""

import json
import pathlib
import subprocess
import sys
import types
import warnings

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest

from hafjax.hierarchy import KINDS
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import HierarchyError
from hafjax.hierarchy import builders
from hafjax.hierarchy import load_hierarchy
from hafjax.hierarchy.__main__ import main as run_command
from tests import conftest
from tests import strategies

Hierarchy = Hierarchy
HierarchyError = HierarchyError

LEVELS = ('manufacturer', 'family', 'variant')


def _published(name):
  """A tree of the papers, from its class paths."""
  return load_hierarchy(conftest.REFERENCE / 'hierarchies' / f'{name}.txt')


def _split(tree):
  return [path.split('/') for path in tree.paths()]


def _check_distances(tree, published, arrays, name):
  """The published distances, three times over."""
  for kind in KINDS:
    np.testing.assert_array_equal(
      tree.distances(kind), published.distances(kind)
    )
  np.testing.assert_array_equal(tree.distances(), arrays[f'{name}_distance'])
  np.testing.assert_array_equal(
    tree.distances('lca_depth'), arrays[f'{name}_distance_released']
  )


# --- Writers of the official layouts -----------------------------------------


def _write_categories(paths, file):
  """categories.json of iNaturalist 2019, of paths of 8 names."""
  content = [
    dict(zip(builders.RANKS, path[1:-1], strict=True))
    | {'id': i, 'name': path[-1], 'supercategory': 'ignored'}
    for i, path in enumerate(paths)
  ]
  file.write_text(json.dumps(content))


def _write_aircraft(paths, folder, splits=('train', 'test'), per_class=3):
  """Annotations of FGVC-Aircraft, of paths of 4 names."""
  folder.mkdir(exist_ok=True)
  for k, level in zip((1, 2, 3), LEVELS, strict=True):
    plural = {'family': 'families'}.get(level, f'{level}s')
    names = dict.fromkeys(path[k] for path in paths)
    (folder / f'{plural}.txt').write_text(''.join(f'{n}\n' for n in names))
    for s, split in enumerate(splits):
      lines = [
        f'{s}{label:03}{i:03} {path[k]}\n'
        for i in range(per_class)
        for label, path in enumerate(paths)
      ]
      (folder / f'images_{level}_{split}.txt').write_text(''.join(lines))


def _write_edges(tree, file):
  """wordnet.is_a.txt: 'parent child' a line."""
  names = tree.node_names
  lines = [
    f'{names[parent]} {names[child]}\n'
    for child, parent in enumerate(tree.parents.tolist())
    if parent >= 0
  ]
  file.write_text(''.join(lines))


# --- The trees of the papers -------------------------------------------------


class TestPublished:
  def test_inaturalist19(self, reference, tmp_path):
    tree = _published('inaturalist19')
    _write_categories(_split(tree), tmp_path / 'categories.json')
    built = builders.from_inaturalist19(tmp_path / 'categories.json')
    assert built == tree
    assert (built.num_classes, built.height) == (1010, 7)
    _check_distances(built, tree, reference('distances'), 'inaturalist19')

  def test_inaturalist21(self, reference):
    # The same taxonomy under names of the later data set's form.
    tree = _published('inaturalist19')
    names = [
      '_'.join([f'{i:05}', *(name.replace('_', '-') for name in path[1:])])
      for i, path in enumerate(_split(tree))
    ]
    built = builders.from_inaturalist21(names)
    assert built.class_names == tuple(names)
    _check_distances(built, tree, reference('distances'), 'inaturalist19')

  def test_fgvc_aircraft(self, reference, tmp_path):
    tree = _published('fgvc_aircraft')
    # Official names have slashes and blanks, and no prefixes.
    paths = [
      [name.replace('-slash-', '/').split('-', 1)[-1] for name in path]
      for path in _split(tree)
    ]
    _write_aircraft(paths, tmp_path)
    built = builders.from_fgvc_aircraft(tmp_path)
    assert built.class_names == tuple(path[-1] for path in paths)
    assert 'F-16A/B' in built.class_names
    assert (built.num_classes, built.height) == (100, 3)
    _check_distances(built, tree, reference('distances'), 'fgvc_aircraft')

  def test_tiered_imagenet_h(self, reference, tmp_path):
    tree = _published('tiered_imagenet_h')
    _write_edges(tree, tmp_path / 'wordnet.is_a.txt')
    built = builders.from_wordnet(
      tree.class_names, tmp_path / 'wordnet.is_a.txt'
    )
    assert built == tree
    _check_distances(built, tree, reference('distances'), 'tiered_imagenet_h')
    # It has no node with a single child.
    assert built == builders.from_wordnet(
      tree.class_names, tmp_path / 'wordnet.is_a.txt', collapse=True
    )

  def test_cifar100(self, reference):
    tree = _published('cifar100')
    names = [f'level {depth}' for depth in range(6)]
    columns = zip(*_split(tree), strict=True)
    built = builders.from_columns(
      dict(zip(names, columns, strict=True)), names, root=None
    )
    assert built == tree
    _check_distances(built, tree, reference('distances'), 'cifar100')


# --- Columns -----------------------------------------------------------------


@pytest.mark.usefixtures('unchecked')
class TestColumns:
  columns = {
    'label': ['wolf', 'oak', 'wolf', 'dog', 'morel'],
    'class': ['Mammalia', '', 'Mammalia', 'Mammalia', None],
    'kingdom': ['Animalia', 'Plantae', 'Animalia', 'Animalia', 'Fungi'],
  }

  def test_mapping(self):
    whole = dict(self.columns, **{'class': ['M', 'P', 'M', 'M', 'F']})
    tree = builders.from_columns(whole, ['kingdom', 'class', 'label'])
    assert tree.paths() == [
      'root/Animalia/M/wolf',
      'root/Plantae/P/oak',
      'root/Animalia/M/dog',
      'root/Fungi/F/morel',
    ]
    # By default, columns are in the mapping's order.
    order = dict(reversed(whole.items()))
    assert builders.from_columns(order) == tree
    rows = [list(row) for row in zip(*order.values(), strict=True)]
    assert builders.from_columns(rows) == tree
    rows = [dict(zip(order, row, strict=True)) for row in rows]
    assert builders.from_columns(rows, list(order)) == tree

  def test_roots(self):
    rows = [['life', 'wolf'], ['life', 'oak']]
    assert builders.from_columns(rows, root='all').paths()[0] == 'all/life/wolf'
    assert builders.from_columns(rows, root=None).paths()[0] == 'life/wolf'

  def test_rows_that_end_early(self):
    rows = [['a', 'b', 'x'], ['a', 'y', ''], ['z', None, '']]
    tree = builders.from_columns(rows)
    assert tree.paths() == ['root/a/b/x', 'root/a/y', 'root/z']

  def test_class_order(self):
    rows = [['a', 'x'], ['b', 'y'], ['a', 'z']]
    tree = builders.from_columns(rows, classes=['z', 'y', 'x'])
    assert tree.paths() == ['root/a/z', 'root/b/y', 'root/a/x']

  @hypothesis.given(strategies.trees(), st.randoms(use_true_random=False))
  def test_examples_of_any_tree(self, tree, random):
    paths = _split(tree)
    rows = paths + [random.choice(paths) for _ in range(10)]
    assert builders.from_columns(rows, root=None) == tree
    # Examples in any order; arrays of strings are columns, too.
    random.shuffle(rows)
    width = tree.height + 1
    rows = np.array([row + [''] * (width - len(row)) for row in rows])
    columns = {f'level {i}': rows[:, i] for i in range(width)}
    classes = tree.class_names
    assert builders.from_columns(columns, root=None, classes=classes) == tree

  @pytest.mark.parametrize(
    'make, message',
    [
      (
        lambda: builders.from_columns({'a': ['x'], 'b': ['y', 'z']}),
        "column 'b' has 2 rows, but 'a' has 1.",
      ),
      (
        lambda: builders.from_columns({'a': ['x']}, ['genus', 'a']),
        "columns: there is no 'genus', only ['a'].",
      ),
      (
        lambda: builders.from_columns([{'a': 'x'}, {'b': 'y'}], ['a']),
        "row 2: there is no 'a', only ['b'].",
      ),
      (
        lambda: builders.from_columns([{'a': 'x'}]),
        'order must name the columns, coarse to fine, where rows are mappings.',
      ),
      (
        lambda: builders.from_columns({'a': ['x', 'y'], 'b': [3, 4]}),
        'row 1: expected names, got 3; of labels that are numbers, give the '
        'names.',
      ),
      (
        lambda: builders.from_columns({'a': ['x', 'y'], 'b': ['z', 'z']}),
        "row 2: class 'z' is already in row 1.",
      ),
      (
        lambda: builders.from_columns([['a', 'x'], ['a', 'x'], ['a', '', 'y']]),
        "row 3: empty name in 'root/a//y'.",
      ),
      (lambda: builders.from_columns([]), 'rows: no classes.'),
      (
        lambda: builders.from_columns([['x']], root=3),
        'root must be a name or None, got 3.',
      ),
      (
        lambda: builders.from_columns([['x']], order=[]),
        'order must be the names of columns.',
      ),
      (
        lambda: builders.from_columns([['x'], ['y']], classes=['x']),
        "classes: the leaf 'y' is missing; every leaf is a class.",
      ),
    ],
  )
  def test_errors(self, make, message):
    with pytest.raises(HierarchyError) as error:
      make()
    assert str(error.value) == message

  def test_table(self, tmp_path):
    file = tmp_path / 'taxa.csv'
    file.write_text(
      'id,genus,notes,species,family\n'
      '7,Canis,,C. lupus,Canidae\n'
      '8,Canis,"tame, mostly",C. familiaris,Canidae\n'
      '9,Felis,,F. catus,Felidae\n'
    )
    tree = builders.from_table(file, ['family', 'genus', 'species'], 'life')
    assert tree.paths() == [
      'life/Canidae/Canis/C. lupus',
      'life/Canidae/Canis/C. familiaris',
      'life/Felidae/Felis/F. catus',
    ]
    with pytest.raises(HierarchyError, match="taxa.csv: .* no 'tribe', only"):
      builders.from_table(file, ['tribe', 'species'])


# --- iNaturalist -------------------------------------------------------------


@pytest.mark.usefixtures('unchecked')
class TestInaturalist:
  names = (
    '00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus'
    '_terrestris',
    '00002_Plantae_Bryophyta_Sphagnopsida_Sphagnales_Sphagnaceae_Sphagnum'
    '_sub_species',
    '00001_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Eisenia_fetida',
  )

  def test_2021(self):
    tree = builders.from_inaturalist21(self.names)
    assert tree.class_names == self.names
    assert tree.height == 7
    assert tree.paths()[0] == (
      'root/Animalia/Annelida/Clitellata/Haplotaxida/Lumbricidae/Lumbricus/'
      + self.names[0]
    )
    distances = tree.distances()
    assert (distances[0, 2], distances[0, 1]) == (2, 7)

  def test_2021_called_as_by_tfds(self):
    tree = builders.from_inaturalist21(self.names, tfds=True)
    assert tree.class_names == (
      'lumbricus_terrestris',
      'sphagnum_sub_species',
      'eisenia_fetida',
    )
    np.testing.assert_array_equal(
      tree.distances(), builders.from_inaturalist21(self.names).distances()
    )

  @pytest.mark.parametrize(
    'name', ['lumbricus_terrestris', 'x_a_b_c_d_e_f_g', '0_a_b__d_e_f_g', 5]
  )
  def test_other_names_are_refused(self, name):
    with pytest.raises(HierarchyError, match='^name 2: expected a number'):
      builders.from_inaturalist21([self.names[0], name])

  def test_2019_goes_by_ids(self, tmp_path):
    file = tmp_path / 'categories.json'
    paths = [['root', *'kpcofg', 'b'], ['root', *'kpcofg', 'a']]
    _write_categories(paths, file)
    content = json.loads(file.read_text())
    content[0]['id'], content[1]['id'] = 9, 4
    # As the annotations of 2021 have it.
    file.write_text(json.dumps({'images': [], 'categories': content}))
    assert builders.from_inaturalist19(file).class_names == ('a', 'b')

  @pytest.mark.parametrize(
    'change, message',
    [
      ({'id': 1}, 'category 2: the id 1 is already that of another category.'),
      ({'genus': 5}, "category 1: 'genus' is missing, or no name."),
      ({'name': ''}, "category 1: 'name' is missing, or no name."),
      ({'name': 'b'}, "row 2: class 'b' is already in row 1."),
      ({'id': 'x'}, 'category 1: expected an object with a whole number as '),
    ],
  )
  def test_errors_of_2019(self, tmp_path, change, message):
    file = tmp_path / 'categories.json'
    paths = [['root', *'kpcofg', 'a'], ['root', *'kpcofh', 'b']]
    _write_categories(paths, file)
    content = json.loads(file.read_text())
    content[0] |= change
    file.write_text(json.dumps(content))
    with pytest.raises(HierarchyError) as error:
      builders.from_inaturalist19(file)
    assert str(error.value).startswith(str(file))
    assert message in str(error.value)

  @pytest.mark.parametrize('text', ['[', '3', '[]', '{}', '[' * 9999])
  def test_what_is_no_list_of_categories(self, tmp_path, text):
    file = tmp_path / 'categories.json'
    file.write_text(text)
    with pytest.raises(HierarchyError, match='not JSON|a list of categories'):
      builders.from_inaturalist19(file)


# --- FGVC-Aircraft -----------------------------------------------------------

AIRCRAFT = [
  ['aircraft', 'Boeing', 'Boeing 717', 'Boeing 717'],
  ['aircraft', 'Lockheed Martin', 'F-16', 'F-16A/B'],
  ['aircraft', 'Boeing', 'Boeing 737', '737-200'],
]


class TestAircraft:
  def test_small(self, tmp_path):
    _write_aircraft(AIRCRAFT, tmp_path)
    tree = builders.from_fgvc_aircraft(tmp_path)
    assert tree == Hierarchy.from_paths(AIRCRAFT)

  def test_in_the_archive(self, tmp_path):
    _write_aircraft(AIRCRAFT, tmp_path / 'data', splits=('test',))
    assert builders.from_fgvc_aircraft(tmp_path).num_classes == 3

  def test_class_order_is_that_of_variants(self, tmp_path):
    _write_aircraft(AIRCRAFT, tmp_path)
    names = [path[-1] for path in AIRCRAFT[::-1]]
    (tmp_path / 'variants.txt').write_text('\n'.join(names))
    assert builders.from_fgvc_aircraft(tmp_path).class_names == tuple(names)

  def test_errors(self, tmp_path):
    def message():
      with pytest.raises(HierarchyError) as error:
        builders.from_fgvc_aircraft(tmp_path)
      return str(error.value)

    assert 'variants.txt' in message()
    (tmp_path / 'variants.txt').write_text('F-16A/B\n')
    assert 'expected images_manufacturer_train.txt' in message()

    _write_aircraft(AIRCRAFT, tmp_path)
    with open(tmp_path / 'variants.txt', 'a') as file:
      file.write('A380\n')
    assert message().endswith(
      "variants.txt: there is no image of 'A380', so that its family is not "
      'known.'
    )

    _write_aircraft(AIRCRAFT, tmp_path)
    family = tmp_path / 'images_family_test.txt'
    family.write_text(family.read_text().replace('F-16', 'F/A-18'))
    assert "'F-16A/B' is of Lockheed Martin > F/A-18 by the image" in message()
    family.write_text('0000000 F-16\n1000000\n')
    assert 'images_family_test.txt, line 2: expected an image and' in message()
    family.write_text('1000000 Boeing 717\n')
    assert 'images_family_test.txt: the image ' in message()


# --- WordNet -----------------------------------------------------------------

# As WordNet has it: a dog is a canine and a domestic animal.
EDGES = [
  *(('entity', 'animal'), ('animal', 'chordate'), ('chordate', 'carnivore')),
  *(('carnivore', 'canine'), ('carnivore', 'feline'), ('canine', 'wolf')),
  *(('canine', 'dog'), ('animal', 'domestic'), ('domestic', 'dog')),
  *(('feline', 'cat'), ('domestic', 'hen'), ('entity', 'car')),
]


@pytest.mark.usefixtures('unchecked')
class TestWordnet:
  def test_the_most_specific_parent(self):
    tree = builders.from_wordnet(['dog', 'wolf', 'cat'], EDGES)
    assert tree.paths() == [
      'carnivore/canine/dog',
      'carnivore/canine/wolf',
      'carnivore/feline/cat',
    ]

  def test_begins_at_the_lowest_common_ancestor(self):
    assert builders.from_wordnet(['dog', 'car'], EDGES).paths() == [
      'entity/animal/chordate/carnivore/canine/dog',
      'entity/car',
    ]
    assert builders.from_wordnet(['dog'], EDGES).paths() == ['canine/dog']

  def test_collapse(self):
    tree = builders.from_wordnet(['dog', 'hen', 'cat'], EDGES, collapse=True)
    assert tree.paths() == [
      'animal/carnivore/dog',
      'animal/hen',
      'animal/carnivore/cat',
    ]
    alone = builders.from_wordnet(['dog'], EDGES, collapse=True)
    assert alone.paths() == ['canine/dog']

  def test_root(self):
    # Below it, a dog has one parent only.
    tree = builders.from_wordnet(['dog', 'hen'], EDGES, root='domestic')
    assert tree.paths() == ['domestic/dog', 'domestic/hen']
    with pytest.raises(HierarchyError, match="'cat' is not below the root"):
      builders.from_wordnet(['dog', 'cat'], EDGES, root='domestic')

  def test_ties_go_to_the_smaller_id(self):
    edges = [('r', 'b'), ('r', 'a'), ('b', 'x'), ('a', 'x'), ('b', 'y')]
    for given in (edges, edges[::-1]):
      tree = builders.from_wordnet(['x', 'y'], given)
      assert tree.paths() == ['r/a/x', 'r/b/y']

  @hypothesis.given(st.data(), st.randoms(use_true_random=False))
  def test_any_acyclic_graph(self, data, random):
    # Brute force: of all ways up, one that is longest, greedily by least id.
    size = data.draw(st.integers(2, 9))
    edges = [
      (f'{parent}', f'{child}')
      for child in range(1, size)
      for parent in data.draw(
        st.sets(st.integers(0, child - 1), min_size=1, max_size=3)
      )
    ]
    inner = {parent for parent, _ in edges}
    wnids = [f'{n}' for n in range(size) if f'{n}' not in inner]

    def longest(node):
      above = [parent for parent, child in edges if child == node]
      if not above:
        return [node]
      ways = {parent: longest(parent) for parent in above}
      parent = min(above, key=lambda p: (-len(ways[p]), p))
      return [*ways[parent], node]

    paths = [longest(wnid) for wnid in wnids]
    random.shuffle(edges)
    tree = builders.from_wordnet(wnids, edges)
    top = tree.node_names[0]
    assert _split(tree) == [path[path.index(top) :] for path in paths]
    # Which other classes there are moves no node.
    few = builders.from_wordnet(wnids[:2], edges)
    for whole, part in zip(_split(tree)[:2], _split(few), strict=True):
      assert whole[-len(part) :] == part

    collapsed = builders.from_wordnet(wnids, edges, collapse=True)
    num_children = np.bincount(collapsed.parents[1:])
    assert len(wnids) == 1 or 1 not in num_children
    # Which classes are nearer than others stays.
    a, b = tree.distances('lca_depth'), collapsed.distances('lca_depth')
    nearer = a[:, :, None] < a[:, None, :]
    assert np.array_equal(nearer, b[:, :, None] < b[:, None, :])

  def test_words(self, tmp_path):
    edges = [('n1', 'n2'), ('n1', 'n3'), ('n2', 'n4'), ('n3', 'n5')]
    file = tmp_path / 'words.txt'
    file.write_text(
      'n1\tentity\nn2\tbird\nn3\tmachine\nn4\tcrane\nn5\tcrane, derrick\n'
    )
    tree = builders.from_wordnet(['n4', 'n5'], edges, file)
    assert tree.paths() == [
      'entity/bird/crane (n4)',
      'entity/machine/crane (n5)',
    ]
    names = {'n4': 'crane', 'n5': 'derrick'}
    tree = builders.from_wordnet(['n4', 'n5'], edges, names)
    assert tree.paths() == ['n1/n2/crane', 'n1/n3/derrick']

  @pytest.mark.parametrize(
    'wnids, edges, message',
    [
      ([], EDGES, 'wnids: no classes.'),
      (['dog', 'dog'], EDGES, "wnids[1]: 'dog' is already at wnids[0]."),
      ([5], EDGES, "wnids[0] must be an id such as 'n02084071', got 5."),
      (['cow'], EDGES, "wnids[0]: 'cow' is unknown; no edge has it."),
      (['entity'], EDGES, "wnids[0]: 'entity' has no node above it."),
      (
        ['dog', 'canine'],
        EDGES,
        "wnids[1]: 'canine' is an ancestor of another class; a class is a "
        'leaf.',
      ),
      (
        ['dog', 'x'],
        [*EDGES, ('y', 'x')],
        "wnids[1]: 'x' leads up to 'y', but wnids[0] to 'entity'; name a root "
        'that they have in common.',
      ),
      (
        ['x'],
        [('a', 'b'), ('b', 'a'), ('b', 'x')],
        "edges: there is a cycle in the ancestors of 'a'.",
      ),
      (
        ['x'],
        [('a', 'b', 'c')],
        "edge 1: expected a pair of ids (parent, child), got ('a', 'b', 'c').",
      ),
    ],
  )
  def test_errors(self, wnids, edges, message):
    with pytest.raises(HierarchyError) as error:
      builders.from_wordnet(wnids, edges)
    assert str(error.value) == message

  def test_errors_of_files(self, tmp_path):
    file = tmp_path / 'is_a.txt'
    file.write_text('a b\n\nb c d\n')
    with pytest.raises(HierarchyError) as error:
      builders.from_wordnet(['b'], file)
    assert str(error.value) == (
      f'{file}, line 3: expected 2 columns separated by white space, got 3.'
    )
    file.write_text('a\n')
    with pytest.raises(HierarchyError, match='line 1: expected an id and its'):
      builders.from_wordnet(['dog', 'cat'], EDGES, file)


class _Synset:
  """What from_wordnet asks of NLTK's synsets, on the edges above."""

  ids = {name: i for i, name in enumerate(dict.fromkeys(sum(EDGES, ())), 1)}

  def __init__(self, number):
    self.number = number

  def offset(self):
    return self.number

  def hypernyms(self):
    return [
      _Synset(self.ids[parent])
      for parent, child in EDGES
      if self.ids[child] == self.number and parent != 'domestic'
    ]

  def instance_hypernyms(self):
    return [
      _Synset(self.ids[parent])
      for parent, child in EDGES
      if self.ids[child] == self.number and parent == 'domestic'
    ]


class TestNltk:
  def test_its_corpus(self, monkeypatch):
    def find(pos, offset):
      assert pos == 'n'
      if offset not in _Synset.ids.values():
        warnings.warn(f'there is no {offset}', stacklevel=2)
        return None
      return _Synset(offset)

    wordnet = types.SimpleNamespace(
      ensure_loaded=lambda: None, synset_from_pos_and_offset=find
    )
    corpus = types.SimpleNamespace(wordnet=wordnet)
    monkeypatch.setitem(sys.modules, 'nltk', types.ModuleType('nltk'))
    monkeypatch.setitem(sys.modules, 'nltk.corpus', corpus)
    number = {name: f'n{i:08}' for name, i in _Synset.ids.items()}
    edges = [(number[parent], number[child]) for parent, child in EDGES]
    wnids = [number[name] for name in ('dog', 'hen', 'cat')]
    tree = builders.from_wordnet(wnids)
    assert tree == builders.from_wordnet(wnids, edges)
    with pytest.raises(HierarchyError, match='no edge has it'):
      builders.from_wordnet(['n99999999'])

  def test_not_installed(self, monkeypatch):
    monkeypatch.setitem(sys.modules, 'nltk', None)
    with pytest.raises(HierarchyError, match='is not installed; pass edges'):
      builders.from_wordnet(['n02084071'])


# --- The command -------------------------------------------------------------


class TestCommand:
  def _build(self, capsys, *words):
    assert run_command(['build', *map(str, words)]) == 0, capsys.readouterr()
    assert capsys.readouterr().out.startswith(f'Written: {words[2]} (')
    return load_hierarchy(words[2])

  @pytest.mark.parametrize('suffix', ['.txt', '.csv', '.json', '.nwk'])
  def test_fgvc_aircraft(self, tmp_path, capsys, suffix):
    _write_aircraft(AIRCRAFT, tmp_path)
    out = tmp_path / f'out{suffix}'
    tree = self._build(capsys, 'fgvc_aircraft', tmp_path, out)
    assert tree == Hierarchy.from_paths(AIRCRAFT)

  def test_inaturalist19(self, tmp_path, capsys):
    paths = [['root', *'kpcofg', 'b'], ['root', *'kpcofg', 'a']]
    _write_categories(paths, tmp_path / 'categories.json')
    tree = self._build(
      capsys,
      'inaturalist19',
      tmp_path / 'categories.json',
      tmp_path / 'out.txt',
    )
    assert tree == Hierarchy.from_paths(paths)

  def test_inaturalist21(self, tmp_path, capsys):
    names = TestInaturalist.names
    for name in names:
      (tmp_path / 'train' / name).mkdir(parents=True)
    tree = self._build(
      capsys, 'inaturalist21', tmp_path / 'train', tmp_path / 'out.txt'
    )
    # By the numbers in front.
    assert tree.class_names == tuple(sorted(names))
    (tmp_path / 'names.txt').write_text('\n'.join(names))
    words = (tmp_path / 'names.txt', tmp_path / 'out.txt', '--tfds')
    tree = self._build(capsys, 'inaturalist21', *words)
    assert tree == builders.from_inaturalist21(names, tfds=True)

  def test_columns(self, tmp_path, capsys):
    (tmp_path / 't.csv').write_text('species,note,genus\nx,,a\ny,1,a\n')
    words = (tmp_path / 't.csv', tmp_path / 'out.json')
    tree = self._build(capsys, 'columns', *words, '--order=genus,species')
    assert tree.paths() == ['root/a/x', 'root/a/y']
    tree = self._build(
      capsys, 'columns', *words, '--order=genus,species', '--root='
    )
    assert tree.paths() == ['a/x', 'a/y']

  def test_wordnet(self, tmp_path, capsys):
    (tmp_path / 'ids.txt').write_text('dog\nhen\ncat\n')
    (tmp_path / 'is_a.txt').write_text(
      ''.join(f'{parent} {child}\n' for parent, child in EDGES)
    )
    (tmp_path / 'words.txt').write_text('hen\then, biddy\ndog a dog\n')
    tree = self._build(
      capsys,
      'wordnet',
      tmp_path / 'ids.txt',
      tmp_path / 'out.tsv',
      f'--edges={tmp_path / "is_a.txt"}',
      f'--words={tmp_path / "words.txt"}',
      '--root=animal',
      '--collapse',
    )
    assert tree.paths() == [
      'animal/carnivore/a dog',
      'animal/hen',
      'animal/carnivore/cat',
    ]

  def test_errors_are_one_sentence(self, tmp_path):
    done = subprocess.run(
      [
        *(sys.executable, '-m', 'hafjax.hierarchy', 'build', 'inaturalist19'),
        *(tmp_path / 'none.json', tmp_path / 'out.txt'),
      ],
      capture_output=True,
      text=True,
      cwd=pathlib.Path(__file__).parents[2],
      check=False,
    )
    assert done.returncode == 1
    assert done.stderr == f"'{tmp_path}/none.json' is no file that exists.\n"
    assert not (tmp_path / 'out.txt').exists()

  def test_unknown_builders(self, capsys):
    with pytest.raises(SystemExit):
      run_command(['build', 'imagenet', 'a', 'b'])
    assert 'fgvc_aircraft' in capsys.readouterr().err
