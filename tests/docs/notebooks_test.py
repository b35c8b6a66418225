# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
import json
import pathlib
import shutil
import sys

import nbclient
import nbformat
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / 'docs' / 'notebooks' / 'frames.ipynb'

# What the notebook's own kernel has to say at the end.
PROBE = """
import json
import sys

import hafjax

print(json.dumps({
  'file': hafjax.__file__,
  'builtin': hierarchy.builtin_names(),
  'tensorflow': 'tensorflow' in sys.modules,
  'separation': frames.min_similarity(cifar100, GAMMA),
  'results': results,
}))
"""


@pytest.fixture
def colab(tmp_path, monkeypatch):
  """A folder to run in, where pip installs into another folder, not here."""
  for name in ('source', 'installed', 'work'):
    (tmp_path / name).mkdir()
  source = tmp_path / 'source'
  # A copy, for building leaves files beside what is built.
  for name in ('pyproject.toml', 'README.md', 'LICENSE'):
    shutil.copy(ROOT / name, source)
  ignored = shutil.ignore_patterns('__pycache__')
  shutil.copytree(ROOT / 'hafjax', source / 'hafjax', ignore=ignored)
  kernel = tmp_path / 'jupyter' / 'kernels' / 'python3'
  kernel.mkdir(parents=True)
  arguments = '-m ipykernel_launcher -f {connection_file}'.split()
  spec = {
    'argv': [sys.executable, *arguments],
    'display_name': 'Python 3',
    'language': 'python',
  }
  (kernel / 'kernel.json').write_text(json.dumps(spec))
  environment = {
    'HAFJAX_SOURCE': source,
    'IPYTHONDIR': tmp_path / 'ipython',
    'JUPYTER_PATH': tmp_path / 'jupyter',
    'JUPYTER_RUNTIME_DIR': tmp_path / 'runtime',
    'PYTHONPATH': tmp_path / 'installed',
    'PIP_TARGET': tmp_path / 'installed',
    'PIP_NO_DEPS': 1,
    'PIP_NO_INDEX': 1,
    # A variable sets what the option stores, which is 0 for 'no isolation'.
    'PIP_NO_BUILD_ISOLATION': 0,
    # As for users, whose code may broadcast.
    'JAX_NUMPY_RANK_PROMOTION': 'allow',
    'PIP_DISABLE_PIP_VERSION_CHECK': 1,
  }
  for name, value in environment.items():
    monkeypatch.setenv(name, str(value))
  return tmp_path


def test_notebook_is_clean():
  notebook = nbformat.read(NOTEBOOK, as_version=4)
  nbformat.validate(notebook)
  for cell in notebook.cells:
    if cell.cell_type == 'code':
      assert not cell.outputs
      assert cell.execution_count is None


@pytest.mark.parametrize('folder', [ROOT, NOTEBOOK.parent])
def test_notebook_uses_the_clone_that_it_is_in(colab, monkeypatch, folder):
  """Wherever its kernel starts, and without a package index."""
  monkeypatch.delenv('HAFJAX_SOURCE')
  monkeypatch.delenv('PYTHONPATH')
  notebook = nbformat.read(NOTEBOOK, as_version=4)
  codes = [cell for cell in notebook.cells if cell.cell_type == 'code']
  probe = 'import hafjax\nprint(hafjax.__file__, frames.__file__)'
  notebook.cells = [*codes[:2], nbformat.v4.new_code_cell(probe)]
  nbclient.NotebookClient(
    notebook,
    kernel_name='python3',
    timeout=300,
    resources={'metadata': {'path': str(folder)}},
  ).execute()
  for file in notebook.cells[-1].outputs[0].text.split():
    assert pathlib.Path(file).is_relative_to(ROOT / 'hafjax')
  assert not list((colab / 'installed').iterdir())


@pytest.mark.slow
def test_notebook_runs_on_what_it_installs(colab):
  notebook = nbformat.read(NOTEBOOK, as_version=4)
  num_cells = len(notebook.cells)
  notebook.cells.append(nbformat.v4.new_code_cell(PROBE))
  client = nbclient.NotebookClient(
    notebook,
    kernel_name='python3',
    timeout=300,
    resources={'metadata': {'path': str(colab / 'work')}},
  )
  client.execute()
  found = json.loads(notebook.cells[-1].outputs[0].text)

  file = pathlib.Path(found['file']).resolve()
  assert file.is_relative_to((colab / 'installed').resolve())
  assert 'cifar100' in found['builtin']
  assert not found['tensorflow']
  assert found['separation'] == pytest.approx(-0.30573920, abs=1e-8)

  cells = notebook.cells[:num_cells]
  pictures = [
    output.data['image/png']
    for cell in cells
    for output in cell.get('outputs', ())
    if 'image/png' in output.get('data', ())
  ]
  assert len(pictures) == 5

  means = {
    name: {key: np.mean([run[key] for run in runs]) for key in runs[0]}
    for name, runs in found['results'].items()
  }
  learned, ours = means['cross-entropy'], means['HAFrame']
  assert ours['mistake_severity'] < learned['mistake_severity']
  assert min(ours['top1'], learned['top1']) > 0.5
  # The table that the reader sees.
  (table,) = [
    output.text
    for cell in cells
    for output in cell.get('outputs', ())
    if 'severity' in output.get('text', '')
  ]
  rows = {line[:14].strip(): line[14:].split() for line in table.splitlines()}
  for name, metrics in means.items():
    top1, severity = map(float, rows[name])
    assert top1 == pytest.approx(100 * metrics['top1'], abs=0.051)
    assert severity == pytest.approx(metrics['mistake_severity'], abs=6e-4)
