# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Damaged files: a hierarchy or one sentence, whatever the bytes.

Never another exception, a hang, or anything done but reading.
"""

import json
import pathlib
import re
import time

import hypothesis
from hypothesis import strategies as st
import pytest

from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import HierarchyError
from hafjax.hierarchy import builders
from hafjax.hierarchy import load_hierarchy
from hafjax.hierarchy import save_hierarchy
from hafjax.hierarchy.formats import registry
from tests import strategies
from tests.fuzz import targets as fuzzing

HierarchyError = HierarchyError

FORMATS = sorted(registry.FORMATS)
PIECES = st.one_of(
  st.sampled_from(fuzzing.PIECES['hierarchy']),
  st.text(max_size=5).map(lambda text: text.encode('utf-8', 'surrogatepass')),
  st.binary(max_size=5),
)


@st.composite
def written(draw, form: str) -> bytes:
  """Draws a valid file of a format."""
  tree = draw(strategies.trees(max_nodes=10))
  try:
    return registry.FORMATS[form].write(tree).encode()
  except HierarchyError:  # Edges that share names.
    return b'root\ta\na\tb\na\tc\nroot\td\n'


def damaged(form: str) -> st.SearchStrategy[bytes]:
  return strategies.damaged(written(form), PIECES)


def _texts() -> st.SearchStrategy[bytes]:
  """Texts of pieces that mean something."""
  return st.lists(PIECES, max_size=12).map(b''.join)


def _check(folder: pathlib.Path, content: bytes, form: str) -> None:
  """Loads a file; what can be loaded is saved and loaded again."""
  file = folder / 'fuzzed'
  file.write_bytes(content)
  try:
    fuzzing.read_hierarchy(form, file)
  except HierarchyError as error:
    _check_message(str(error), file)


def _check_message(message: str, file: pathlib.Path) -> None:
  """One readable sentence that names the file."""
  assert message.startswith(f'{file}')
  assert re.fullmatch(r'[^\n]+\.', message)
  assert len(message) < len(str(file)) + 600


@pytest.fixture
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('fuzz')


@pytest.mark.parametrize('form', FORMATS)
class TestFiles:
  @hypothesis.given(data=st.data())
  @hypothesis.settings(fuzzing.settings(200))
  def test_damaged(self, folder, form, data):
    _check(folder, data.draw(damaged(form)), form)

  @hypothesis.given(content=st.one_of(_texts(), st.binary(max_size=50)))
  @hypothesis.settings(fuzzing.settings(100))
  def test_any_text(self, folder, form, content):
    _check(folder, content, form)

  @pytest.mark.slow
  @hypothesis.given(data=st.data())
  @hypothesis.settings(fuzzing.settings(2_000))
  def test_damaged_at_length(self, folder, form, data):
    _check(folder, data.draw(damaged(form)), form)

  @pytest.mark.slow
  @hypothesis.given(content=st.one_of(_texts(), st.binary(max_size=200)))
  @hypothesis.settings(fuzzing.settings(2_000))
  def test_any_text_at_length(self, folder, form, content):
    _check(folder, content, form)

  @pytest.mark.parametrize(
    'piece',
    [
      *('(', ')', '[', ']', '{', '}', '{"a":', '[[', '"', "'", "''", '""', ','),
      *('/', '\\', '\\/', 'a/', '\t', '\n', '#', ';', ':', 'a', 'a\tb\n', 'é'),
      *("'a''", '(a,', '[&class=1]', '{"a":[', '"\\', 'a,\n', ' ', '\r', '9'),
    ],
  )
  def test_no_pattern_takes_long(self, folder, form, piece):
    # Some seconds; what is quadratic in it takes minutes at least.
    content = (piece * (50_000 // len(piece))).encode()
    began = time.monotonic()
    _check(folder, content, form)
    assert time.monotonic() - began < 60

  def test_names_are_not_run(self, folder, form):
    mark = folder / 'mark'
    code = f"open({str(mark)!r}, 'w')"
    names = [code, f'{{{code}}}', f'$({code})', f'__import__("os"), {code}']
    tree = Hierarchy.from_paths([['root', name] for name in names])
    file = folder / 'code'
    save_hierarchy(tree, file, form)
    assert load_hierarchy(file, form).class_names == tuple(names)
    assert not mark.exists()
    # The code works.
    eval(code).close()
    assert mark.exists()


LEVELS = ('manufacturer', 'family', 'variant')
CATEGORY = dict(
  dict.fromkeys(builders.RANKS, 'group'), id=0, name='class', other=[1]
)
JSON_VALUES = strategies.json_values(sorted(CATEGORY))


@st.composite
def categories(draw):
  """Draws iNaturalist's categories, some fields of which are anything."""
  rows = [
    CATEGORY | {'id': i, 'name': f'class {i}'}
    for i in range(draw(st.integers(0, 3)))
  ]
  for row in rows:
    for field in draw(st.lists(st.sampled_from(sorted(CATEGORY)), max_size=2)):
      row[field] = draw(JSON_VALUES)
  return draw(st.sampled_from([rows, {'categories': rows}]))


class TestBuilders:
  @hypothesis.given(content=st.one_of(categories(), JSON_VALUES))
  @hypothesis.settings(fuzzing.settings(200))
  def test_inaturalist19(self, folder, content):
    file = folder / 'categories.json'
    file.write_text(json.dumps(content))
    try:
      tree = builders.from_inaturalist19(file)
    except HierarchyError as error:
      _check_message(str(error), file)
    else:
      assert tree.height == 7

  @hypothesis.given(
    rows=st.lists(
      st.one_of(
        st.lists(st.sampled_from(['a', 'b', '', None, 1, 'c']), max_size=4),
        st.dictionaries(st.sampled_from('xyz'), st.sampled_from('abc')),
        JSON_VALUES,
      ),
      max_size=5,
    ),
    order=st.one_of(st.none(), st.lists(st.sampled_from('xyz')), JSON_VALUES),
    root=st.one_of(st.none(), st.sampled_from(['r', 'a', '', 1])),
  )
  @hypothesis.settings(fuzzing.settings(200))
  def test_columns(self, rows, order, root):
    try:
      builders.from_columns(rows, order, root)
    except HierarchyError as error:
      assert re.fullmatch(r'[^\n]{10,600}\.', str(error))

  @hypothesis.given(
    edges=st.lists(
      st.tuples(st.sampled_from('abcdefg'), st.sampled_from('abcdefg')),
      max_size=15,
    ),
    wnids=st.lists(st.sampled_from('abcdefgh'), max_size=4),
    root=st.one_of(st.none(), st.sampled_from('abcd')),
    collapse=st.booleans(),
  )
  @hypothesis.settings(fuzzing.settings(300))
  def test_wordnet(self, edges, wnids, root, collapse):
    try:
      tree = builders.from_wordnet(wnids, edges, None, root, collapse)
    except HierarchyError as error:
      assert re.fullmatch(r'[^\n]{10,600}\.', str(error))
    else:
      assert tree.class_names == tuple(wnids)

  @hypothesis.given(
    lines=st.lists(
      st.lists(
        st.one_of(
          st.sampled_from(['1', '2', '3', ' ', 'a', 'b', '\n', '#', '/']),
          st.text(max_size=3),
        ),
        max_size=8,
      ).map(''.join),
      min_size=4,
      max_size=4,
    )
  )
  @hypothesis.settings(fuzzing.settings(200))
  def test_fgvc_aircraft(self, folder, lines):
    names = ('variants', *(f'images_{level}_train' for level in LEVELS))
    for name, text in zip(names, lines, strict=True):
      content = text.encode('utf-8', 'surrogatepass')
      (folder / f'{name}.txt').write_bytes(content)
    try:
      builders.from_fgvc_aircraft(folder)
    except HierarchyError as error:
      _check_message(str(error), folder)
