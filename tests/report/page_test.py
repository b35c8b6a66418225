# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
import collections
import html.parser
import io
import json
import os
import pathlib
import re
import select
import shutil
import subprocess
import sys
import time

import hypothesis
from hypothesis import strategies as st
from matplotlib import image as image_lib
import numpy as np
import pytest

from hafjax import frames
from hafjax.hierarchy import Hierarchy
from hafjax.metrics import confusion
from hafjax.report import __main__ as command
from hafjax.report import markup
from hafjax.report import page
from hafjax.report import plots
from hafjax.report.histories import curve
from hafjax.runs.find import ReportError
from hafjax.runs.find import find_runs
from hafjax.runs.find import read_lines
from hafjax.runs.find import runs_by_name
from tests import run_files
from tests import strategies

ROOT = pathlib.Path(__file__).resolve().parents[2]
TREE = run_files.TREE
# Names that would be markup, formulas or glyphs that are not there.
HOSTILE = Hierarchy.from_paths(
  [
    ['root', '<script>alert(1)</script>', 'a & b'],
    ['root', '<script>alert(1)</script>', '"quoted" \'name\''],
    ['root', '$x_1$ $', 'under_score_and_a_name_that_goes_on_and_on'],
    ['root', '$x_1$ $', '</style><img src=http://example.org/x>'],
  ]
)
ANCHORS = [
  'comparison',
  'training',
  'collapse',
  'similarity',
  'heights',
  'confusion',
  'tree',
  'severe',
]


# --- Runs by hand ------------------------------------------------------------


def make_runs(
  folder, variants=('haframe', 'cross_entropy'), seeds=(0, 1), **kw
):
  return {
    (variant, seed): run_files.make_run(
      folder / variant / str(seed), variant, seed, **kw
    )
    for variant in variants
    for seed in seeds
  }


def written(workdirs, output, **options):
  """The page of some folders' runs, as text."""
  return page.write(find_runs(workdirs), output, **options).read_text()


class Elements(html.parser.HTMLParser):
  """Tags with their attributes, anchors of sections, and visible text."""

  def __init__(self, text):
    super().__init__()
    self.tags, self.words = [], []
    self._hidden = False
    self.feed(text)

  def handle_starttag(self, tag, attrs):
    self.tags.append((tag, dict(attrs)))
    self._hidden = tag in ('style', 'script')

  def handle_data(self, data):
    if not self._hidden:
      self.words.append(data)

  def handle_endtag(self, tag):
    self._hidden = False

  def of(self, tag):
    return [attrs for name, attrs in self.tags if name == tag]

  @property
  def text(self):
    return re.sub(r'\s+', ' ', ''.join(self.words))


@pytest.fixture(scope='module')
def full(tmp_path_factory):
  """The folder of four whole runs and of their report, and the page."""
  folder = tmp_path_factory.mktemp('full')
  arrays = make_runs(folder)
  return folder, arrays, written([folder], folder)


# --- Where predictions go wrong ----------------------------------------------


@hypothesis.given(strategies.trees(max_nodes=15), st.integers(0, 2**32 - 1))
@hypothesis.settings(max_examples=25)
def test_mistakes_against_loops(tree, seed):
  rng = np.random.default_rng(seed)
  labels, guesses = rng.integers(0, tree.num_classes, (2, 40))
  paths = [
    [node for node in path if node >= 0] for path in tree.path_table.tolist()
  ]
  hits, totals = np.zeros((2, tree.num_nodes), int)
  counts = np.zeros((tree.num_classes,) * 2, int)
  shares = np.zeros(tree.height + 1)
  for label, guess in zip(labels, guesses, strict=True):
    both = [node for node in paths[label] if node in paths[guess]]
    shares[tree.node_heights[both[-1]]] += 1 / len(labels)
    counts[label, guess] += 1
    totals[paths[label]] += 1
    hits[both] += 1
  found = confusion.height_shares(labels, guesses, tree)
  np.testing.assert_allclose(found, shares[1:], atol=1e-12)
  np.testing.assert_allclose(found.sum(), np.mean(labels != guesses))
  np.testing.assert_array_equal(
    confusion.node_hits(labels, guesses, tree), [hits, totals]
  )
  np.testing.assert_array_equal(
    confusion.confusion(labels, guesses, tree.num_classes), counts
  )


def test_cosines_of_an_etf():
  etf = frames.simplex_etf(7, seed=3)
  np.testing.assert_allclose(
    confusion.cosines(5 * etf + 2, centered=True),
    frames.etf_similarity(7),
    atol=1e-12,
  )
  shifted = confusion.cosines(5 * etf + 2)
  assert (shifted - frames.etf_similarity(7)).max() > 0.1
  # A class without images has no direction.
  etf[2] = 0
  assert not confusion.cosines(etf)[2].any()


# --- Finding runs ------------------------------------------------------------

# Without pictures, which take their time.
SMALL = dict(
  tree=HOSTILE, without=('metrics.jsonl', 'predictions.npz', 'collapse.jsonl')
)


def names_of(runs):
  return [(run.name, run.seed) for run in runs]


def test_runs_are_found_once_in_order(tmp_path):
  make_runs(tmp_path, ('b', 'a'), (10, 9), **SMALL)
  run_files.make_run(
    tmp_path / 'a' / '11', 'a', 11, tree=HOSTILE, without=('results.json',)
  )
  # Folders of checkpoints are not searched.
  shutil.copytree(tmp_path / 'b' / '9', tmp_path / 'b' / '9' / 'checkpoints')
  runs = find_runs([tmp_path, tmp_path / 'a', tmp_path / 'a' / '9'])
  assert names_of(runs) == [('a', 9), ('a', 10), ('b', 9), ('b', 10)]
  assert {
    name: [run.seed for run in group]
    for name, group in runs_by_name(runs[::-1]).items()
  } == {'a': [9, 10], 'b': [9, 10]}


def test_rates_are_told_apart_and_the_table_says_which_count(tmp_path):
  for rate in ('1', '3'):
    make_runs(tmp_path / f'rate_{rate}', ('a',), (0, 1000), **SMALL)
  every = {(f'a (x {rate})', seed) for rate in (1, 3) for seed in (0, 1000)}
  assert set(names_of(find_runs([tmp_path]))) == every
  table = tmp_path / 'table.json'
  table.write_text(json.dumps([dict(variant='a (x 3)', seed=0)]))
  assert names_of(find_runs([tmp_path])) == [('a (x 3)', 0)]
  # Who asks for a part means the part.
  assert len(find_runs([tmp_path / 'rate_1'])) == 2
  table.write_text(json.dumps([dict(variant='b (x 3)', seed=0)]))
  with pytest.raises(ReportError, match='lists none of the runs'):
    find_runs([tmp_path])


def test_runs_that_share_name_and_seed_are_called_by_their_folders(tmp_path):
  for folder in ('long', 'short'):
    make_runs(tmp_path / folder, ('a',), (0, 1), **SMALL)
  make_runs(tmp_path / 'short', ('b',), (0,), **SMALL)
  runs = find_runs([tmp_path])
  assert list(runs_by_name(runs)) == ['a in long', 'a in short', 'b']


def damaged(name, content):
  def spoil(folder):
    (folder / name).write_bytes(content)

  return spoil


def other_tree(folder):
  shutil.rmtree(folder)
  run_files.make_run(folder, 'a', 1, tree=TREE)


def arrays_with(**changed):
  def spoil(folder):
    file = folder / 'predictions.npz'
    with np.load(file) as archive:
      arrays = dict(archive) | changed
    np.savez(file, **{k: v for k, v in arrays.items() if v is not None})

  return spoil


@pytest.mark.parametrize(
  ('spoil', 'message'),
  [
    (damaged('results.json', b'{"seed": 1'), r'1/results.json is damaged'),
    (damaged('results.json', b'\xff\xfe'), r'1/results.json is damaged'),
    (damaged('results.json', b'{"seed": 1}'), "has no 'variant'"),
    (damaged('results.json', b'[]'), "has no 'variant'"),
    (lambda f: (f / 'run.json').unlink(), r'1/run.json is missing'),
    (damaged('run.json', b'{"classes": []}'), "has no 'config'"),
    (other_tree, 'a/0 and .*a/1 have different classes'),
    (
      damaged('metrics.jsonl', b'{"epoch": 1}\n{"ep\n{}\n'),
      'line 2 is damaged',
    ),
    (damaged('collapse.jsonl', b'3\n{}\n'), 'collapse.jsonl, line 1'),
    (
      damaged('predictions.npz', b'PK'),
      r'predictions.npz is damaged .*evaluate',
    ),
    (arrays_with(labels=None), "has no 'labels'"),
    (arrays_with(labels=np.zeros(0, int)), 'holds no images'),
    (
      arrays_with(predictions=np.zeros(5, int)),
      r"'predictions' of shape \[5\]",
    ),
    (
      arrays_with(labels=np.full(24, 4), predictions=np.zeros(24, int)),
      r"'labels' that are not all in 0..3",
    ),
    (arrays_with(class_means=np.zeros((3, 2))), r'shape \[3, 2\]'),
    (arrays_with(severe=np.array([99])), "'severe'"),
  ],
)
def test_errors_say_what_is_wrong_where(tmp_path, spoil, message):
  make_runs(tmp_path, ('a',), (0, 1), tree=HOSTILE)
  spoil(tmp_path / 'a' / '1')
  with pytest.raises(ReportError, match=message):
    written([tmp_path], tmp_path)
  assert not (tmp_path / 'report.html').exists()


def test_a_half_written_last_line_is_left_out(tmp_path):
  file = tmp_path / 'metrics.jsonl'
  assert read_lines(file) == []
  file.write_text('{"epoch": 1}\n{"epoch": NaN}\n{"epo')
  assert [record.keys() for record in read_lines(file)] == [
    {'epoch'},
    {'epoch'},
  ]


def test_the_command_fails_with_a_sentence(tmp_path):
  with pytest.raises(ReportError, match='There is no results.json in'):
    command.main(command.parse([str(tmp_path)]))
  make_runs(tmp_path, ('a',), (0,), **SMALL)
  in_the_way = tmp_path / 'file'
  in_the_way.write_text('')
  args = [str(tmp_path), f'--output={in_the_way}']
  with pytest.raises(ReportError, match=f'^{in_the_way}'):
    command.main(command.parse(args))


def test_the_command_tells_what_it_does_and_needs_no_tensorflow(tmp_path):
  make_runs(tmp_path / 'runs', ('a',), (0,), **SMALL)
  code = (
    'import runpy, sys\n'
    'try:\n'
    "  runpy.run_module('hafjax.report', run_name='__main__')\n"
    'finally:\n'
    "  heavy = {'tensorflow', 'clu', 'orbax', 'grain', 'ml_collections'}\n"
    '  print(sorted(heavy & set(sys.modules)))\n'
  )
  args = [tmp_path / 'runs', f'--output={tmp_path / "out"}', '--baseline=a']
  ended = subprocess.run(
    [sys.executable, '-c', code, *map(str, args)],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=False,
  )
  assert ended.returncode == 0, ended.stderr
  assert 'Section 8 of 8' in ended.stderr and 'WARNING' not in ended.stderr
  assert (tmp_path / 'out' / 'report.html').exists()
  assert ended.stdout.strip() == '[]'


# --- The page ----------------------------------------------------------------


def assert_self_contained(text):
  elements = Elements(text)
  assert not re.search(r'(?i)https?:|url\(|@import', text)
  for _, attrs in elements.tags:
    assert attrs.get('src', 'data:image/').startswith('data:image/')
    assert attrs.get('href', '#').startswith('#')
  assert not elements.of('link') and not elements.of('iframe')


def rows_of(text, section, number=0):
  """Cells, as text, of a table in a section."""
  part = text.split(f'<section id="{section}">')[1].split('</section>')[0]
  body = re.findall('<table .*?</table>', part, re.S)[number]
  return [
    [
      Elements(cell).text
      for cell in re.findall(r'<t[hd][^>]*>(.*?)</t[hd]>', row, re.S)
    ]
    for row in re.findall('<tr>.*?</tr>', body, re.S)
  ]


def test_a_full_report_has_everything(full):
  folder, _, text = full
  elements = Elements(text)
  assert_self_contained(text)
  assert [attrs['id'] for attrs in elements.of('section')] == ANCHORS
  assert [a['href'] for a in elements.of('a')] == [f'#{a}' for a in ANCHORS]
  assert 'no <code>' not in text and 'No run' not in text
  shown = {a['alt'] for a in elements.of('img') if a.get('class') == 'picture'}
  assert shown == {
    *(f'training_{k}' for k in ('train_loss', 'val_top1')),
    'training_val_mistake_severity',
    *(f'collapse_{k}' for k in ('nc1', 'nc1_svd', 'self_duality')),
    'collapse_deviation_mean',
    *(f'similarity_{k}' for k in ('haframe', 'cross_entropy')),
    *(f'confusion_{k}' for k in ('haframe', 'cross_entropy')),
    'heights_of_images',
    'heights_of_mistakes',
  }
  files = {file.name for file in (folder / 'pictures').iterdir()}
  assert files == {
    f'{name}.{kind}' for name in shown for kind in ('png', 'pdf')
  }


def test_the_same_files_give_the_same_bytes(tmp_path):
  make_runs(tmp_path / 'runs', **SMALL)
  first, second = (
    written([tmp_path / 'runs'], tmp_path / name) for name in ('a', 'b')
  )
  assert first == second
  for kind in ('svg', 'pdf', 'png'):
    one, other = (
      plots.encoded(plots.height_picture({'a': np.ones(2)}, ''), kind)
      for _ in range(2)
    )
    assert one == other


def test_the_comparison_is_of_common_seeds(tmp_path):
  for seed in (0, 1, 2):
    run_files.make_run(tmp_path / f'a{seed}', 'a', seed, **SMALL)
  for seed in (1, 2, 3):
    run_files.make_run(tmp_path / f'b{seed}', 'b', seed, **SMALL)
  run_files.make_run(tmp_path / 'c', 'c', 1, **SMALL)
  runs = find_runs([tmp_path])
  top1 = {
    (run.name, run.seed): 100 * run.results['test']['top1'] for run in runs
  }
  text = page.write(runs, tmp_path, baseline='b').read_text()
  means = rows_of(text, 'comparison')
  assert means[0][:3] == ['method', 'runs', 'top-1 %']
  assert [row[1] for row in means[1:]] == ['3', '3', '1']
  for row, name in zip(means[1:], 'abc', strict=True):
    mean = np.mean([value for key, value in top1.items() if key[0] == name])
    assert row[2].startswith(f'{mean:.2f}')
  best = max(float(row[2].split()[0]) for row in means[1:])
  assert re.search(rf'<strong>{best:.2f}', text)
  header, first, second = rows_of(text, 'comparison', 2)
  assert header[1] == 'common seeds'
  assert second[:2] == ['c', '1, too few for a test']
  assert first[:2] == ['a', '2']
  difference = np.mean([top1['a', s] - top1['b', s] for s in (1, 2)])
  assert first[2].startswith(f'{difference:+.2f}'.replace('-', '−'))
  assert 'p = ' in first[2] or 'p < ' in first[2] or 'no test' in first[2]


def test_clear_differences_have_a_verdict(tmp_path):
  for variant, lift in (('a', 0.0), ('b', 0.1)):
    for seed in range(4):
      folder = tmp_path / variant / str(seed)
      run_files.make_run(folder, variant, seed, **SMALL)
      results = json.loads((folder / 'results.json').read_text())
      results['test'] |= {
        'top1': 0.5 + lift + 0.01 * seed + 0.001 * lift * seed,
        'mistake_severity': 2 + lift + 0.01 * seed + 0.001 * lift * seed,
      }
      (folder / 'results.json').write_text(json.dumps(results))
  text = written([tmp_path], tmp_path, baseline='a')
  row = rows_of(text, 'comparison', 2)[1]
  assert row[0] == 'b' and '+10.0' in row[2]
  assert 'better' in row[2] and 'worse' in row[4]
  assert 'p < 0.001' in row[2]


@pytest.mark.parametrize('baseline', ['nobody', 'a'])
def test_a_baseline_that_is_not_one_is_asked_for(tmp_path, baseline):
  for rate in ('1', '3'):
    make_runs(tmp_path / f'rate_{rate}', ('a',), (0,), **SMALL)
  text = Elements(written([tmp_path], tmp_path, baseline=baseline)).text
  assert '--baseline=' in text and 'a (x 1), a (x 3)' in text


def test_rules_and_columns_that_all_rows_have(tmp_path):
  make_runs(tmp_path, ('a', 'b'), (0,), **SMALL)
  file = tmp_path / 'a' / '0' / 'results.json'
  results = json.loads(file.read_text())
  less = {k: v for k, v in results['test'].items() if k != 'top5'}
  curve = {k: [0.0, 0.5, 1.0] for k in ('threshold', 'coverage', 'risk')}
  results['rules'] = {
    'crm': dict(test=less, val=less),
    'selective': dict(test=curve | {'area': 0.125}, val={}),
  }
  file.write_text(json.dumps(results))
  text = written([tmp_path], tmp_path)
  means = rows_of(text, 'comparison')
  assert [row[0] for row in means] == ['method', 'a', 'a + crm', 'b']
  assert 'top-5 %' not in means[0] and 'severity' in means[0]
  assert rows_of(text, 'comparison', 2)[1][:3] == [
    'a + selective',
    '1',
    '0.125',
  ]
  assert (tmp_path / 'pictures' / 'rules_risk_by_coverage.pdf').exists()


def test_names_are_text_and_missing_files_are_said(tmp_path):
  make_runs(tmp_path, ('a',), (0,), **SMALL)
  run_files.make_run(
    tmp_path / 'b',
    'b$&<i>',
    0,
    tree=HOSTILE,
    without=('metrics.jsonl', 'collapse.jsonl'),
  )
  text = written([tmp_path], tmp_path)
  evaluate = 'python -m hafjax.evaluate --workdir='
  assert 'No run has <code>collapse.jsonl</code>' in text
  assert 'No run has a <code>metrics.jsonl</code>' in text
  # Similarities, heights, confusion, tree and severe mistakes of b are there.
  assert text.count('1 of 2 runs have no <code>predictions.npz</code>') == 5
  assert text.count(f'{evaluate}{tmp_path / "a" / "0"}</code>') == 5
  # No other run is measured anew, whatever folders they have in common.
  both = f'{tmp_path / "a" / "0"},{tmp_path / "b"}'
  assert text.count(f'{evaluate}{both}</code>') == 1
  elements = Elements(text)
  assert 'confusion_b$&<i>' in [a['alt'] for a in elements.of('img')]
  assert (tmp_path / 'pictures' / 'confusion_b_i.pdf').exists()
  assert len(elements.of('script')) == 1 and len(elements.of('style')) == 1
  assert all('src' not in attrs for attrs in elements.of('script'))
  for attrs in elements.of('img'):
    assert attrs['src'].startswith('data:image/')
  for name in HOSTILE.node_names:
    assert name in elements.text


def test_runs_that_are_not_seeds_of_one_thing_are_marked(tmp_path):
  run_files.make_run(tmp_path / '0', 'a', 0, num_epochs=4, **SMALL)
  run_files.make_run(tmp_path / '1', 'a', 1, num_epochs=5, **SMALL)
  run_files.make_run(tmp_path / '2', 'b', 1, num_epochs=6, **SMALL)
  text = written([tmp_path], tmp_path)
  assert 'they differ in <code>num_epochs</code>' in text
  assert '<b>6</b> (b)' in text


def test_nodes_have_their_accuracies(full):
  _, arrays, text = full
  pooled = [
    np.concatenate([arrays['haframe', seed][key] for seed in (0, 1)])
    for key in ('labels', 'predictions')
  ]
  below = TREE.ancestor_matrix()
  for node, name in enumerate(TREE.node_names):
    inside = below[pooled[0], node]
    share = 100 * np.mean(below[pooled[1], node][inside])
    shown = markup.text(name)
    assert re.search(
      rf'<span>{re.escape(shown)}</span><i>{inside.sum():,}</i>'
      rf'<i class="w\d+">[\d.]+</i><i class="w\d+">{share:.1f}</i>',
      text,
    ), name


def test_tiles_show_the_worst_and_count_the_rest(full):
  _, arrays, text = full
  part = text.split('<section id="severe">')[1]
  assert len(Elements(part).of('img')) == 2 * 12
  first = arrays['cross_entropy', 0]
  wrong = int(np.sum(first['labels'] != first['predictions']))
  assert f'12 of {wrong} mistakes; {wrong - 12} are left out.' in part
  label, guess = (
    first[key][first['severe'][0]] for key in ('labels', 'predictions')
  )
  tile = Elements(re.search('<figure class="tile">.*?</figure>', part, re.S)[0])
  sep = ' › '
  paths = TREE.paths(sep='\t')
  assert f'true: {paths[label].replace(chr(9), sep)}' in tile.text
  assert f'predicted: {paths[guess].replace(chr(9), sep)}' in tile.text
  assert f'height {TREE.distances()[label, guess]}' in tile.text
  assert (
    f'confidence {first["confidences"][first["severe"][0]]:.0%}' in tile.text
  )


def test_frequent_mistakes_are_listed(full):
  _, arrays, text = full
  labels, guesses = (
    np.concatenate([arrays['cross_entropy', seed][key] for seed in (0, 1)])
    for key in ('labels', 'predictions')
  )
  pairs = collections.Counter(
    (label, guess)
    for label, guess in zip(labels.tolist(), guesses.tolist(), strict=True)
    if label != guess
  )
  rows = rows_of(text, 'confusion')[1:]
  names = TREE.class_names
  expected = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:10]
  assert rows == [
    [f'{names[i]} → {names[j]}', str(count), str(TREE.distances()[i, j])]
    for (i, j), count in expected
  ]
  assert f'10 of {len(pairs)} pairs' in text


def test_collapse_of_other_layers_is_not_that_of_features(tmp_path):
  run_files.make_run(tmp_path / 'a', 'a', 0, **SMALL)
  file = tmp_path / 'a' / 'collapse.jsonl'
  file.write_text('{"epoch": 1.0, "layer": "level3", "nc1": 1.0}\n')
  text = written([tmp_path], tmp_path)
  assert 'has measures of the features of training images' in text


# --- Pictures ----------------------------------------------------------------


def test_curves_are_means_with_extremes():
  histories = [
    # Measured twice at first.
    [
      dict(epoch=1.0, a=7.0),
      dict(epoch=1.0, a=1.0),
      dict(epoch=2.0, a=3.0, b='text'),
    ],
    [dict(epoch=1.0, a=2.0), dict(step=3, a=9.0)],
  ]
  found = curve(histories, 'a')
  np.testing.assert_array_equal(found, [[1, 2], [1.5, 3], [1, 3], [2, 3]])
  assert curve(histories, 'b') is None
  looks = plots.styles(['x', 'y'])
  figure = plots.curve_picture({'y': found}, looks, 'title', log=True)
  (line,) = figure.axes[0].lines
  np.testing.assert_array_equal(line.get_xydata(), [[1, 1.5], [2, 3]])
  assert line.get_color() == looks['y'].colour
  assert figure.axes[0].get_yscale() == 'log'
  flat = found._replace(low=np.zeros(2))
  figure = plots.curve_picture({'y': flat}, looks, 'title', log=True)
  assert figure.axes[0].get_yscale() == 'linear'


def test_curves_that_diverge_are_drawn():
  nan = plots.Curve(np.arange(3.0), *np.full((3, 3), np.nan))
  figure = plots.curve_picture({'x': nan}, plots.styles(['x']), '', log=True)
  assert plots.encoded(figure, 'svg').startswith(b'<?xml')


def test_styles_of_many_methods_differ():
  found = plots.styles([f'm{i}' for i in range(28)])
  assert len(set(found.values())) == 28


def test_bars_add_up():
  shares = {'a': np.array([0.1, 0.2, 0.05]), 'b': np.array([0.0, 0.3, 0.1])}
  (axis,) = plots.height_picture(shares, 'title').axes
  widths = np.array([[bar.get_width() for bar in c] for c in axis.containers])
  np.testing.assert_allclose(widths.T, 100 * np.array(list(shares.values())))
  ends = [bar.get_x() + bar.get_width() for bar in axis.containers[-1]]
  np.testing.assert_allclose(ends, [35, 40])


def test_confusions_stand_in_tree_order():
  tree = Hierarchy.from_paths(['r/a/0', 'r/b/1', 'r/a/2'])
  counts = np.array([[3, 0, 1], [0, 2, 0], [0, 0, 0]])
  axis, _ = plots.confusion_picture(counts, tree).axes
  np.testing.assert_allclose(
    axis.images[0].get_array(), [[0.75, 0.25, 0], [0, 0, 0], [0, 0, 1]]
  )


@pytest.mark.parametrize('channels', [1, 3])
def test_images_keep_their_pixels(channels):
  pixels = np.random.default_rng(0).integers(0, 256, (5, 4, channels))
  png = plots.encoded_image(pixels.astype(np.uint8))
  found = image_lib.imread(io.BytesIO(png))[..., :3]
  np.testing.assert_array_equal(
    np.round(255 * found), np.broadcast_to(pixels, (5, 4, 3))
  )


# --- In a browser ------------------------------------------------------------


class Browser:
  """Chromium without a window, through its DevTools protocol on two pipes."""

  def __init__(self, profile):
    commands, self._commands = os.pipe()
    self._answers, answers = os.pipe()
    self._process = subprocess.Popen(
      [
        # Descriptors 3 and 4 are where Chromium looks for its pipes.
        *('bash', '-c', f'exec "$@" 3<&{commands} 4>&{answers}', 'bash'),
        shutil.which('chromium'),
        *('--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run'),
        *('--disable-dev-shm-usage', '--disable-background-networking'),
        *('--remote-debugging-pipe', f'--user-data-dir={profile}'),
      ],
      pass_fds=(commands, answers),
      stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL,
    )
    os.close(commands)
    os.close(answers)
    self._number, self._session, self._buffer = 0, None, b''
    self.events = []
    target = self.send('Target.createTarget', url='about:blank')['targetId']
    self._session = self.send(
      'Target.attachToTarget', targetId=target, flatten=True
    )['sessionId']
    for domain in ('Page', 'Runtime', 'Log', 'Network'):
      self.send(f'{domain}.enable')

  def close(self):
    self._process.terminate()
    self._process.wait()
    os.close(self._commands)
    os.close(self._answers)

  def _receive(self):
    deadline = time.monotonic() + 60
    while b'\0' not in self._buffer:
      left = max(0, deadline - time.monotonic())
      ready, _, _ = select.select([self._answers], [], [], left)
      assert ready, 'Chromium does not answer.'
      part = os.read(self._answers, 1 << 20)
      assert part, 'Chromium has ended.'
      self._buffer += part
    message, _, self._buffer = self._buffer.partition(b'\0')
    return json.loads(message)

  def send(self, method, **params):
    """Calls a method; events that arrive meanwhile are kept."""
    self._number += 1
    message = dict(id=self._number, method=method, params=params)
    if self._session:
      message['sessionId'] = self._session
    os.write(self._commands, json.dumps(message).encode() + b'\0')
    while (answer := self._receive()).get('id') != self._number:
      self.events.append(answer)
    assert 'error' not in answer, answer
    return answer['result']

  def resize(self, width):
    self.send(
      'Emulation.setDeviceMetricsOverride',
      width=width,
      height=900,
      deviceScaleFactor=1,
      mobile=False,
    )

  def open(self, file):
    self.events.clear()
    self.send('Page.navigate', url=file.as_uri())
    while not self.of('Page.loadEventFired'):
      self.events.append(self._receive())

  def of(self, method):
    return [e['params'] for e in self.events if e.get('method') == method]

  def evaluate(self, expression):
    result = self.send(
      'Runtime.evaluate', expression=expression, returnByValue=True
    )
    assert 'exceptionDetails' not in result, result
    return result['result'].get('value')


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
  if not shutil.which('chromium'):
    pytest.skip('chromium is not on this machine')
  found = Browser(tmp_path_factory.mktemp('profile'))
  yield found
  found.close()


# Elements that stick out of the window, but for those inside of a part that
# scrolls by itself.
STICKING_OUT = """
[...document.querySelectorAll('body *')]
  .filter(e => !e.closest('.scroll') || e.matches('.scroll'))
  .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.outerHTML.slice(0, 80))
"""
# Of each picture, how much smaller it is than it was drawn; and text sizes.
SHRUNK = """
[...document.querySelectorAll('img.picture')]
  .filter(e => e.clientWidth)
  .map(e => e.clientWidth / parseFloat(e.closest('figure').style.maxWidth))
"""
FONTS = """
[...document.querySelectorAll('p, td, th, li, figcaption, .row > *, small')]
  .filter(e => e.clientWidth)
  .map(e => parseFloat(getComputedStyle(e).fontSize))
"""


@pytest.mark.parametrize('width', [1280, 400])
def test_a_browser_shows_the_page_and_asks_no_one(full, browser, width):
  folder, _, _ = full
  file = folder / 'report.html'
  browser.resize(width)
  browser.open(file)
  # Whatever is folded must fit too, and its pictures must load.
  browser.evaluate(
    "document.querySelectorAll('details').forEach(d => { d.open = true; })"
  )
  assert browser.evaluate('innerWidth') == width
  assert browser.evaluate('document.documentElement.scrollWidth') <= width
  assert browser.evaluate(STICKING_OUT) == []
  assert min(browser.evaluate(SHRUNK)) > 0.7
  assert min(browser.evaluate(FONTS)) >= 12
  ids = "[...document.querySelectorAll('section')].map(s => s.id)"
  assert browser.evaluate(ids) == ANCHORS
  assert browser.evaluate(
    '[...document.images].every(i => i.complete && i.naturalWidth > 0)'
  )
  asked = {
    request['request']['url']
    for request in browser.of('Network.requestWillBeSent')
  }
  assert {url for url in asked if not url.startswith('data:')} == {
    file.as_uri()
  }
  for method in (
    'Runtime.consoleAPICalled',
    'Runtime.exceptionThrown',
    'Log.entryAdded',
  ):
    assert browser.of(method) == []


def test_the_tree_opens_and_closes(full, browser):
  folder, _, _ = full
  browser.open(folder / 'report.html')
  opened = "document.querySelectorAll('.tree details[open]').length"
  inner = TREE.num_nodes - TREE.num_classes
  for button, count in (('Close', 0), ('Open', inner)):
    browser.evaluate(
      "[...document.querySelectorAll('button')]"
      f".find(b => b.textContent.startsWith('{button}')).click()"
    )
    assert browser.evaluate(opened) == count


def test_the_browser_would_have_noticed(browser, tmp_path):
  file = tmp_path / 'bad.html'
  file.write_text(
    '<img src="missing.png"><div style="width: 900px">x</div>'
    '<script>console.warn(1); undefined_name;</script>'
  )
  browser.resize(400)
  browser.open(file)
  assert len(browser.of('Network.requestWillBeSent')) == 2
  assert browser.of('Runtime.consoleAPICalled')
  assert browser.of('Runtime.exceptionThrown')
  assert browser.of('Log.entryAdded')
  assert len(browser.evaluate(STICKING_OUT)) == 1
