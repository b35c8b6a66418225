# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the file formats of hafjax.hierarchy.

The errors of paths and edges are in hierarchy_test.py.
"""

import csv
import json
import pathlib
import pickle

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest

from hafjax import hierarchy
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import HierarchyError
from hafjax.hierarchy import load_hierarchy
from hafjax.hierarchy import save_hierarchy
from hafjax.hierarchy.__main__ import main as run_command
from hafjax.hierarchy.formats import registry
from tests import strategies

Hierarchy = Hierarchy
HierarchyError = HierarchyError

SUFFIXES = [form.suffixes[0] for form in registry.FORMATS.values()]

# Ragged, with a unary node, and 'other' twice; classes not in tree order.
RAGGED = Hierarchy.from_paths(
  ['root/b/other/x', 'root/y', 'root/a/other/z', 'root/b/w', 'root/b/v']
)

# What some format or other gives a meaning to.
NAMES = st.text(
  st.one_of(
    st.sampled_from('ab/\\#,"\'()[]{}:;_ \t\n\r\0\ufeff\u2028\x85&=0'),
    st.characters(),
  ),
  min_size=1,
  max_size=4,
).filter(lambda name: name.strip())


@st.composite
def named_trees(draw):
  """Trees with all kinds of names, each of which one node has."""
  tree = draw(strategies.trees(max_nodes=8))
  names = draw(
    st.lists(
      NAMES, min_size=tree.num_nodes, max_size=tree.num_nodes, unique=True
    )
  )
  classes = [names[leaf] for leaf in tree.leaves]
  return Hierarchy.from_parents(tree.parents, names, classes)


def _read(folder: pathlib.Path, name: str, text: str) -> Hierarchy:
  file = folder / name
  file.write_text(text, encoding='utf-8', newline='')
  return load_hierarchy(file)


class TestRoundTrip:
  """A file is read back as the same tree, or is not written."""

  @pytest.mark.parametrize('suffix', sorted(set(SUFFIXES) - {'.tsv'}))
  @hypothesis.given(strategies.trees())
  @hypothesis.settings(max_examples=50)
  def test_any_tree(self, tmp_path_factory, suffix, tree):
    file = tmp_path_factory.getbasetemp() / f'any{suffix}'
    save_hierarchy(tree, file)
    assert load_hierarchy(file) == tree

  @pytest.mark.parametrize('suffix', SUFFIXES)
  @hypothesis.given(named_trees())
  @hypothesis.settings(max_examples=100)
  def test_any_names(self, tmp_path_factory, suffix, tree):
    file = tmp_path_factory.getbasetemp() / f'names{suffix}'
    file.unlink(missing_ok=True)
    try:
      save_hierarchy(tree, file)
    except HierarchyError as error:
      assert str(error).startswith(f'{file} cannot be written: ')
      assert not file.exists()
    else:
      assert load_hierarchy(file) == tree

  @pytest.mark.parametrize('suffix', ['.json', '.nwk'])
  @hypothesis.given(named_trees())
  @hypothesis.settings(max_examples=50)
  def test_refused_is_only_what_no_text_has(
    self, tmp_path_factory, suffix, tree
  ):
    everything = ''.join(tree.node_names)
    hypothesis.assume('\0' not in everything)
    hypothesis.assume(not any('\ud800' <= c <= '\udfff' for c in everything))
    file = tmp_path_factory.getbasetemp() / f'text{suffix}'
    save_hierarchy(tree, file)

  @pytest.mark.parametrize('suffix', SUFFIXES)
  def test_builtin(self, tmp_path, suffix):
    # In the first, inner nodes and classes share names: no tree of edges.
    for name in ('cifar100', 'quickstart')[suffix == '.tsv' :]:
      tree = load_hierarchy(name)
      save_hierarchy(tree, tmp_path / f'tree{suffix}')
      assert load_hierarchy(tmp_path / f'tree{suffix}') == tree

  @pytest.mark.parametrize(
    'depth', [10_000, pytest.param(100_000, marks=pytest.mark.slow)]
  )
  @pytest.mark.parametrize('suffix', sorted(set(SUFFIXES) - {'.json'}))
  def test_a_chain_of_many_levels(self, tmp_path, suffix, depth):
    # Far beyond any recursion limit.
    names = [f'n{i}' for i in range(depth + 1)]
    tree = Hierarchy.from_parents(range(-1, depth), names)
    file = tmp_path / f'chain{suffix}'
    save_hierarchy(tree, file)
    assert load_hierarchy(file) == tree

  def test_json_of_some_hundred_levels(self, tmp_path):
    # Python's reader recurses, and what is written can be read back.
    file = tmp_path / 'chain.json'
    for depth in (300, 301):
      names = [f'n{i}' for i in range(depth + 1)]
      tree = Hierarchy.from_parents(range(-1, depth), names)
      if depth == 300:
        save_hierarchy(tree, file)
        assert load_hierarchy(file) == tree
      else:
        with pytest.raises(HierarchyError, match='has 301 levels, and JSON'):
          save_hierarchy(tree, file)
    assert load_hierarchy(file).height == 300

  @pytest.mark.parametrize('suffix', SUFFIXES)
  def test_many_classes(self, tmp_path, suffix):
    parents = [-1] + [0] * 200 + [1 + i % 200 for i in range(20_000)]
    tree = Hierarchy.from_parents(parents, [f'n{i}' for i in range(20_201)])
    file = tmp_path / f'wide{suffix}'
    save_hierarchy(tree, file)
    assert load_hierarchy(file) == tree


class TestPaths:
  def test_a_slash_in_a_name(self, tmp_path):
    tree = Hierarchy.from_paths([['root', 'F-16', 'F-16A/B'], ['root', 'DC-3']])
    save_hierarchy(tree, tmp_path / 'tree.txt')
    text = (tmp_path / 'tree.txt').read_text()
    assert text == 'root/F-16/F-16A\\/B\nroot/DC-3\n'
    assert load_hierarchy(tmp_path / 'tree.txt') == tree

  def test_edges_in_a_txt(self, tmp_path):
    text = 'root\ta b\na b\tx\nroot\ty\n'
    tree = _read(tmp_path, 'tree.txt', text)
    assert tree == _read(tmp_path, 'tree.tsv', text)
    assert tree.paths() == ['root/a b/x', 'root/y']
    # With a slash, it is paths.
    with pytest.raises(HierarchyError, match='is one name only'):
      _read(tmp_path, 'tree.txt', 'root\ta/b\nroot\ty\n')


class TestTable:
  def test_header(self, tmp_path):
    rows = 'Animalia,Chordata,wolf\nAnimalia,Mollusca,snail\nFungi,F,morel\n'
    paths = [
      'root/Animalia/Chordata/wolf',
      'root/Animalia/Mollusca/snail',
      'root/Fungi/F/morel',
    ]
    for header in (
      'kingdom,phylum,species\n',
      'Superclass_Name,coarse label,Class\n',
      '# anything goes\n',
      '',
    ):
      assert _read(tmp_path, 't.csv', header + rows).paths() == paths

  def test_a_first_row_that_may_be_either_is_refused(self, tmp_path):
    for text in (
      'Fungi,morel\nAnimalia,wolf\nAnimalia,snail\n',
      'vehicle,model\nfour wheels,car\nfour wheels,van\n',
      'a\nb\nc\n',
    ):
      with pytest.raises(HierarchyError, match='line 1: .* header or a class'):
        _read(tmp_path, 't.csv', text)

  def test_root(self, tmp_path):
    shared = _read(tmp_path, 't.csv', 'life,wolf\nlife,morel\n')
    assert shared.paths() == ['life/wolf', 'life/morel']
    flat = _read(tmp_path, 't.csv', 'class\nwolf\nmorel\n')
    assert flat.paths() == ['root/wolf', 'root/morel']
    alone = _read(tmp_path, 't.csv', 'life,wolf\n')
    assert alone.paths() == ['life/wolf']

  def test_ragged_rows(self, tmp_path):
    text = 'life,a,wolf\nlife,morel\nlife,a,snail,,\n,,\nlife,oak,,\n'
    tree = _read(tmp_path, 't.csv', text)
    assert tree.paths() == [
      'life/a/wolf',
      'life/morel',
      'life/a/snail',
      'life/oak',
    ]

  def test_quotes_blanks_comments_and_line_ends(self, tmp_path):
    text = (
      '\ufeff# a comment, "with quotes\r\n\r\n'
      'life, "Rosa, wild", x\r\nlife,"5"" nail",y\r\n"#life", z\r\n'
    )
    tree = _read(tmp_path, 't.csv', text)
    assert [path.split('|') for path in tree.paths('|')] == [
      ['root', 'life', 'Rosa, wild', 'x'],
      ['root', 'life', '5" nail', 'y'],
      ['root', '#life', 'z'],
    ]

  @hypothesis.given(strategies.trees())
  @hypothesis.settings(max_examples=30)
  def test_is_what_others_read(self, tmp_path_factory, tree):
    file = tmp_path_factory.getbasetemp() / 'others.csv'
    save_hierarchy(tree, file)
    with open(file, newline='') as lines:
      header, *rows = csv.reader(lines)
    assert header == [f'level {depth}' for depth in range(tree.height + 1)]
    assert rows == [path.split('/') for path in tree.paths()]


class TestJson:
  @pytest.mark.parametrize(
    'text',
    [
      '{"r": {"m": {"wolf": {}, "dog": {}}, "car": {}}}',
      '{"r": {"m": ["wolf", "dog"], "car": null}}',
      '{"r": [{"m": {"wolf": [], "dog": null}}, "car"]}',
      '{"name": "r", "children": [{"name": "m", "children": [{"name": "wolf"},'
      ' {"name": "dog", "children": []}]}, {"name": "car", "size": 3}]}',
      '{"name": "r", "id": [{}], "children": {"m": ["wolf", "dog"],'
      ' "car": {}}}',
      '{"r": [{"name": "m", "children": ["wolf", "dog"]}, {"car": null}]}',
      '\ufeff\r\n{"r":[{"m":["w\\u006flf","dog"]},"car"]}\n\n',
    ],
  )
  def test_shapes(self, tmp_path, text):
    tree = _read(tmp_path, 't.json', text)
    assert tree.paths() == ['r/m/wolf', 'r/m/dog', 'r/car']

  def test_class_order(self, tmp_path):
    text = (
      '{"children": [{"name": "a", "children": ["x", "y"]}, "z"], "name": "r", '
      '"classes": ["y", "z", "x"]}'
    )
    assert _read(tmp_path, 't.json', text).class_names == ('y', 'z', 'x')
    # Names lead to children: here it is a node like others.
    tree = _read(tmp_path, 't.json', '{"r": {"classes": ["a"], "b": null}}')
    assert tree.paths() == ['r/classes/a', 'r/b']

  @hypothesis.given(strategies.trees())
  @hypothesis.settings(max_examples=50)
  def test_is_what_others_read(self, tmp_path_factory, tree):
    file = tmp_path_factory.getbasetemp() / 'others.json'
    save_hierarchy(tree, file)
    content = json.loads(file.read_text(encoding='utf-8'))

    def paths(node, above):
      above = [*above, node['name']]
      for child in node.get('children', []):
        yield from paths(child, above)
      if 'children' not in node:
        yield '/'.join(above)

    found = list(paths(content, []))
    assert sorted(found) == sorted(tree.paths())
    assert ('classes' in content) == (found != tree.paths())
    assert content.get('classes', list(tree.class_names)) == list(
      tree.class_names
    )


class TestNewick:
  @pytest.mark.parametrize(
    'text',
    [
      '((wolf,dog)m,car)r;',
      "((wolf:1,dog:2.5e-3)m:-1,'car':+.5)'r':0;",
      ' ( ( wolf ,\n dog ) m ,car)r ;\n\n',
      "[a [nested] comment's]((wolf[x],dog[&height=3])[(,;]m:[x]2,car)r;[end]",
      '((wolf[&class=0],dog:1[&class=1])m[&class=7],car[&class=2])r;',
    ],
  )
  def test_accepted(self, tmp_path, text):
    tree = _read(tmp_path, 't.nwk', text)
    assert tree.paths() == ['r/m/wolf', 'r/m/dog', 'r/car']

  def test_names(self, tmp_path):
    tree = _read(tmp_path, 't.nwk', "('a b (c)',a_b,'it''s',\"q\",95)'[r]';")
    assert tree.class_names == ('a b (c)', 'a_b', "it's", '"q"', '95')
    assert tree.node_names[0] == '[r]'

  def test_inner_nodes_without_names(self, tmp_path):
    tree = _read(tmp_path, 't.nwk', "((a,(b,'node 2')),((c)' ',d)x,(e));")
    assert tree.paths() == [
      'root/node 1/a',
      'root/node 1/node 3/b',
      'root/node 1/node 3/node 2',
      'root/x/node 4/c',
      'root/x/d',
      'root/node 5/e',
    ]

  def test_a_hundred_thousand_levels(self, tmp_path):
    depth = 100_000
    text = '(' * depth + 'a' + ')' * depth + ';'
    tree = _read(tmp_path, 't.nwk', text)
    assert (tree.num_classes, tree.height) == (1, depth)
    assert tree.node_names[:2] == ('root', 'node 1')

  def test_class_order(self, tmp_path):
    text = '((a[&class=2],b[&class=0])m,c[&class=1])r;'
    tree = _read(tmp_path, 't.nwk', text)
    assert tree.paths() == ['r/m/b', 'r/c', 'r/m/a']
    save_hierarchy(tree, tmp_path / 'u.nwk')
    # Siblings stand in the order of their first class.
    assert (tmp_path / 'u.nwk').read_text() == (
      '((b[&class=0],a[&class=2])m,c[&class=1])r;\n'
    )
    save_hierarchy(
      Hierarchy.from_paths(['r/m/b', 'r/m/a', 'r/c d']), tmp_path / 'v.nwk'
    )
    assert (tmp_path / 'v.nwk').read_text() == "((b,a)m,'c d')r;\n"


# File, its content, and the message without the file's folder.
ERRORS = [
  ('t.csv', '', 't.csv: no classes.'),
  ('t.csv', 'kingdom,species\n#x\n,,\n', None),
  (
    't.csv',
    'r,a,x\nr,,y\n',
    't.csv, line 2: column 2 is empty, and a later one is not; give the group '
    'a name, or leave its cell out.',
  ),
  (
    't.csv',
    'level 1,level 2\na,x\na,b,y\n',
    't.csv, line 3: 3 columns, but the header on line 1 has 2.',
  ),
  (
    't.csv',
    'r,a,x\n\nr,b,x\n',
    "t.csv, line 3: class 'x' is already on line 1.",
  ),
  (
    't.csv',
    'genus,species\n\na,x\nb,x\n',
    "t.csv, line 4: class 'x' is already on line 3.",
  ),
  (
    't.csv',
    'r,a\nr,a,x\n',
    "t.csv, line 2: inner node 'a' is also a class, on line 1.",
  ),
  (
    't.csv',
    'r,x\nr,"y\n',
    't.csv, line 2: no row of comma-separated values (unexpected end of data); '
    'a name with a comma or a quote stands in double quotes, and a quote '
    'inside them is doubled.',
  ),
  ('t.json', '', 't.json: no classes.'),
  ('t.json', ' {}', 't.json: no classes.'),
  ('t.json', '{"r": {}}', 't.json: no classes.'),
  ('t.json', '"r"', "t.json, at the top: expected an object, got 'r'."),
  (
    't.json',
    '\n[]',
    't.json, at the top: expected an object, got an empty array.',
  ),
  (
    't.json',
    '{"r": ["a"],\n "s": ["b"]}',
    "t.json: several roots, 'r' and 's'; put them below one.",
  ),
  (
    't.json',
    '{"r": {"a": ["x"],\n"b": ["x"]}}',
    "t.json, at 'r' > 'b' > 'x': class 'x' is already at 'r' > 'a' > 'x'.",
  ),
  (
    't.json',
    '{"r": ["x",\n\n{"m": ["y"]}, {"m":["z"]}]}',
    "t.json, at 'r' > 'm': 'm' is already at 'r' > 'm', below the same parent.",
  ),
  (
    't.json',
    '{"r": {"a": 1,\n"a": 2}}',
    "t.json, at 'r': the key 'a' stands twice in one object.",
  ),
  (
    't.json',
    '{"name": "r", "children": ["a"], "name": "s"}',
    "t.json, at the top: the key 'name' stands twice in one object.",
  ),
  (
    't.json',
    '{"name": "r", "children": ["a"], "id": [{"x": 1, "y": 2, "x": 1}]}',
    "t.json: the key 'x' stands twice in one object.",
  ),
  (
    't.json',
    '{"r": {\n"a": 1}}',
    "t.json, at 'r' > 'a': the children must be an object, a list or null, "
    'got 1.',
  ),
  (
    't.json',
    '[{"kingdom": "Animalia"}]',
    't.json, at the top: expected an object, got an array.',
  ),
  (
    't.json',
    '{"r": ["a",\n["b"]]}',
    "t.json, at 'r': expected a name or an object, got an array.",
  ),
  (
    't.json',
    '{"r": ["a", null]}',
    "t.json, at 'r': expected a name or an object, got null.",
  ),
  ('t.json', '{"r": ["a",\n" "]}', "t.json, at 'r': empty name."),
  (
    't.json',
    '{"r": ["\\ud800"]}',
    "t.json, at 'r': '\\ud800' is not text.",
  ),
  (
    't.json',
    '{"name": "r", "children": ["a", "b"], "classes": ["b", "c"]}',
    "t.json: classes[1]: 'c' is not in the tree.",
  ),
  (
    't.json',
    '{"name": "r", "children": ["a", "b"], "classes": ["b"]}',
    "t.json: classes: the leaf 'a' is missing; every leaf is a class.",
  ),
  (
    't.json',
    '{"name": "r", "children": ["a"],\n"classes": "a"}',
    't.json: "classes" must be a list of names, got \'a\'.',
  ),
  ('t.nwk', '', 't.nwk: no classes.'),
  ('t.nwk', '[only a comment]', 't.nwk: no classes.'),
  ('t.nwk', 'a;', 't.nwk: no classes.'),
  (
    't.nwk',
    '((a,b)',
    't.nwk, line 1, column 1: the bracket that opens here is never closed.',
  ),
  (
    't.nwk',
    '(a,\n (b,c;',
    't.nwk, line 2, column 2: the bracket that opens here is never closed.',
  ),
  (
    't.nwk',
    '(a,b)r\n',
    "t.nwk, line 2, column 1: expected ';' at the end of the tree.",
  ),
  (
    't.nwk',
    '(a,b)r;\n(c,d)s;',
    't.nwk, line 2, column 1: expected the end of the file, which has one '
    "tree, got '('.",
  ),
  (
    't.nwk',
    '(a,b))r;',
    "t.nwk, line 1, column 6: expected a name, ':' or ';', got ')'.",
  ),
  (
    't.nwk',
    '(a,b)r,c;',
    "t.nwk, line 1, column 7: expected ':' or ';', got ','.",
  ),
  (
    't.nwk',
    '(a,,b);',
    "t.nwk, line 1, column 4: expected a class or an opening bracket, got ','.",
  ),
  (
    't.nwk',
    "(a,'');",
    't.nwk, line 1, column 4: a class has no name.',
  ),
  (
    't.nwk',
    '(a,sports car);',
    "t.nwk, line 1, column 11: expected ':', ',' or ')', got 'car'; names "
    'with blanks need quotes.',
  ),
  (
    't.nwk',
    '(a(b));',
    "t.nwk, line 1, column 3: expected ':', ',' or ')', got '('.",
  ),
  (
    't.nwk',
    '(a:b,c);',
    "t.nwk, line 1, column 4: expected the length of a branch, got 'b'.",
  ),
  (
    't.nwk',
    '(a:1:2,c);',
    "t.nwk, line 1, column 5: expected ',' or ')', got ':'.",
  ),
  (
    't.nwk',
    "(a,\n 'b);\n",
    't.nwk, line 2, column 2: the quote that opens here is never closed.',
  ),
  (
    't.nwk',
    '(a,[b);\n',
    't.nwk, line 1, column 4: the comment that opens here is never closed.',
  ),
  ('t.nwk', '(a,b]);', "t.nwk, line 1, column 5: ']' closes no comment."),
  (
    't.nwk',
    '((a,b)m,\n(b,c)n)r;',
    "t.nwk, line 2, column 2: class 'b' is already on line 1, column 5.",
  ),
  (
    't.nwk',
    '((a)m,\n(b)m)r;',
    "t.nwk, line 2, column 1: 'm' is already on line 1, column 2, below the "
    'same parent.',
  ),
  (
    't.nwk',
    '(a[&class=1],b);',
    't.nwk: the numbers in [&class=...] must be 0 to 1, one behind each class; '
    'leave them all out for the order of the file.',
  ),
]


# What Python's reader refuses, with where; its words differ by version.
NO_JSON = [
  ('{"r": [,"a"]}', 1, 8),
  ('{"r": ["a"}\n', 1, 11),
  ('{"r" ["a"]}', 1, 6),
  ('{r: ["a"]}', 1, 2),
  ('{"r":\n["a", "b"', 2, 10),
  ('{"r": ["a"]}\n{"s": ["a"]}', 2, 1),
  ('{"r":\n\n ["a]}\n', 3, 7),
  ('{"r":\n ["\t"]}', 2, 4),
]


class TestErrors:
  @pytest.mark.parametrize(
    'name, text, message', [case for case in ERRORS if case[2]]
  )
  def test_message(self, tmp_path, name, text, message):
    with pytest.raises(HierarchyError) as error:
      _read(tmp_path, name, text)
    assert str(error.value) == f'{tmp_path}/{message}'

  @pytest.mark.parametrize('text, line, column', NO_JSON)
  def test_no_json(self, tmp_path, text, line, column):
    with pytest.raises(HierarchyError, match='this is not JSON') as error:
      _read(tmp_path, 't.json', text)
    start = f'{tmp_path}/t.json, line {line}, column {column}: '
    assert str(error.value).startswith(start)

  @pytest.mark.parametrize('text', ['[' * 100_000, '{"a":' * 100_000])
  def test_json_that_is_nested_too_deeply(self, tmp_path, text):
    with pytest.raises(HierarchyError, match='t.json: .* nested deeper'):
      _read(tmp_path, 't.json', text)

  @pytest.mark.parametrize('suffix', SUFFIXES)
  def test_no_file(self, tmp_path, suffix):
    with pytest.raises(HierarchyError, match='nor a file that exists'):
      load_hierarchy(tmp_path / f'none{suffix}')

  @pytest.mark.parametrize('suffix', SUFFIXES)
  def test_not_text(self, tmp_path, suffix):
    file = tmp_path / f'tree{suffix}'
    file.write_bytes(b'root\n\xff\xfe')
    with pytest.raises(HierarchyError, match='line 2: this is not UTF-8 text'):
      load_hierarchy(file)

  def test_pickles_are_not_opened(self, tmp_path):
    class Trap:
      def __reduce__(self):
        return pathlib.Path.touch, (tmp_path / 'sprung',)

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
      for suffix in (*SUFFIXES, '.pkl', '.npy'):
        file = tmp_path / f'trap{suffix}'
        file.write_bytes(pickle.dumps(Trap(), protocol))
        with pytest.raises(HierarchyError):
          load_hierarchy(file)
    assert not (tmp_path / 'sprung').exists()
    # The trap works.
    pickle.loads(pickle.dumps(Trap()))
    assert (tmp_path / 'sprung').exists()

  @pytest.mark.parametrize(
    'suffix, names',
    [
      ('.txt', ['a\n']),
      ('.txt', ['a\\']),
      ('.txt', [' a']),
      ('.tsv', ['a\tb']),
      ('.csv', ['a\nb']),
      ('.json', ['\ud800']),
      ('.nwk', ['\0']),
    ],
  )
  def test_names_that_a_format_cannot_hold(self, tmp_path, suffix, names):
    tree = Hierarchy.from_paths([['root', name] for name in names])
    with pytest.raises(HierarchyError, match='cannot be written: the name'):
      save_hierarchy(tree, tmp_path / f'tree{suffix}')


class TestProblems:
  def test_none(self):
    tree = Hierarchy.from_paths(['r/a/x', 'r/a/y', 'r/b/z', 'r/b/w'])
    assert hierarchy.problems(tree) == []

  def test_all(self):
    tree = Hierarchy.from_paths(
      ['root/b/other/x', 'root/y', 'root/a/other/z', 'root/B /a', 'root/b/v']
    )
    assert hierarchy.problems(tree) == [
      "4 inner nodes have a single child ('a', 'B ', 'other', ...): such a "
      'level tells no classes apart.',
      "Classes lie at depths 1 to 3: their distances by 'lca_height' and "
      "'lca_depth' may differ.",
      "1 name is shared by several inner nodes ('other'): edges (.tsv) cannot "
      'hold them.',
      "1 class is called as an inner node is ('a'): edges (.tsv) cannot hold "
      'them.',
      "1 name differs from another in case or blanks only ('B '): they are "
      'different nodes.',
    ]

  @hypothesis.given(strategies.trees())
  def test_edges_hold_what_has_no_problem_of_names(
    self, tmp_path_factory, tree
  ):
    told = any('.tsv' in sentence for sentence in hierarchy.problems(tree))
    file = tmp_path_factory.getbasetemp() / 'problems.tsv'
    try:
      save_hierarchy(tree, file)
    except HierarchyError:
      assert told
    else:
      assert not told

  @hypothesis.given(strategies.trees())
  def test_ragged_is_where_the_kinds_of_distance_may_differ(self, tree):
    told = any('depths' in sentence for sentence in hierarchy.problems(tree))
    same = np.array_equal(tree.distances(), tree.distances('lca_depth'))
    assert told or same


class TestSummary:
  def test_control_characters_are_shown_and_not_sent(self):
    tree = Hierarchy.from_paths([['root', 'a\x1b[2J\nb'], ['root', 'é ß']])
    lines = list(hierarchy.summary(tree))
    assert "  'a\\x1b[2J\\nb'  [0]" in lines
    assert '  é ß  [1]' in lines


class TestConvert:
  def test_all_pairs_of_formats(self, tmp_path, capsys):
    save_hierarchy(RAGGED, tmp_path / 'tree.txt')
    here = tmp_path / 'tree.txt'
    for suffix in ('.csv', '.json', '.nwk', '.newick', '.txt'):
      there = tmp_path / f'other{suffix}'
      assert run_command([str(here), f'--output={there}']) == 0
      out = capsys.readouterr().out
      assert out.startswith(
        f'Written: {there} (5 classes, 10 nodes, height 3).\n- '
      )
      assert load_hierarchy(there) == RAGGED
      here = there

  def test_what_cannot_be_written(self, tmp_path, capsys):
    save_hierarchy(RAGGED, tmp_path / 'tree.txt')
    there = tmp_path / 'other.tsv'
    assert run_command([str(tmp_path / 'tree.txt'), '--output', str(there)])
    assert 'which edges cannot tell apart' in capsys.readouterr().err
    assert not there.exists()
