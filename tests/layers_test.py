# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Imports run one way, and the library imports fast and alone."""

import ast
import collections
import graphlib
import pathlib
import subprocess
import sys

import hafjax

ROOT = pathlib.Path(hafjax.__file__).parent

# Lowest first: a package imports only from packages before it.
LIBRARY = [
  'errors',
  'numerics',
  'files',
  'plugins',
  'hierarchy',
  'frames',
  'losses',
  'decisions',
  'collapse',
  'metrics',
  'ufm',
  'plots',
]
PROGRAM = [
  'runtime',
  'cli',
  'models',
  'methods',
  'data',
  'runs',
  'train',
  'report',
]
ORDER = LIBRARY + PROGRAM
# Modules that are run (`python -m hafjax.NAME`), and may import everything.
COMMANDS = {
  'calibrate',
  'compare',
  'evaluate',
  'export',
  'main',
  'predict',
}

BANNED = {
  'PIL',
  'absl',
  'clu',
  'grain',
  'ml_collections',
  'orbax',
  'tensorflow',
  'tensorflow_datasets',
}


def module_files():
  """The path of each module of hafjax, by dotted name."""
  modules = {}
  for file in ROOT.rglob('*.py'):
    parts = file.relative_to(ROOT.parent).with_suffix('').parts
    parts = parts[:-1] if parts[-1] == '__init__' else parts
    modules['.'.join(parts)] = file
  return modules


def imported(nodes):
  """The dotted names that import statements among some nodes ask for."""
  for node in nodes:
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      assert not node.level, f'line {node.lineno}: a relative import'
      yield from (f'{node.module}.{alias.name}' for alias in node.names)


def imports():
  """For each module of hafjax, the modules of hafjax that it imports.

  Those inside functions, too: they are no way around the order.
  """
  modules = module_files()
  edges = collections.defaultdict(set)
  for module, file in modules.items():
    for name in imported(ast.walk(ast.parse(file.read_text('utf-8')))):
      if name.split('.')[0] == 'hafjax':
        owner = name if name in modules else name.rpartition('.')[0]
        edges[module].add(owner)
  return edges


def package(module):
  """'frames' of 'hafjax.frames.vectors', '' of 'hafjax'."""
  return (module.split('.') + [''])[1]


def run(program):
  """Runs Python code in a fresh interpreter; returns what it prints."""
  process = subprocess.run(
    [sys.executable, '-c', program], capture_output=True, text=True
  )
  assert process.returncode == 0, process.stderr
  return process.stdout.split()


def test_the_top_of_the_package_holds_commands_and_packages():
  # Whatever is not listed in ORDER has no place in the order.
  tops = {package(module) for module in module_files()} - {''}
  assert tops - COMMANDS == set(ORDER)
  single = {file.stem for file in ROOT.glob('*.py')} - {'__init__'}
  assert single - COMMANDS == {'errors'}


def test_packages_import_only_from_lower_ones():
  upward = {
    (module, package(other))
    for module, others in imports().items()
    if package(module) in ORDER
    for other in others
    if package(other)
    and package(other) not in ORDER[: ORDER.index(package(module)) + 1]
  }
  assert not upward


def test_no_two_modules_import_each_other():
  # Raises CycleError, which names the modules.
  order = list(graphlib.TopologicalSorter(imports()).static_order())
  assert order.index('hafjax.errors') < order.index('hafjax.main')


def test_the_library_imports_alone_and_touches_no_device():
  found = run(
    'import importlib, sys\n'
    f'for name in {LIBRARY}:\n'
    '  importlib.import_module(f"hafjax.{name}")\n'
    'from jax._src import xla_bridge\n'
    'print(xla_bridge.backends_are_initialized(), *sys.modules)\n'
    'import jax\n'
    'jax.devices()\n'
    # The question is asked rightly.
    'assert xla_bridge.backends_are_initialized()\n'
  )
  initialized, *modules = found
  assert initialized == 'False'
  # Optax itself imports absl, and Matplotlib Pillow.
  assert BANNED & set(modules) <= {'absl', 'PIL'}
  assert {'jax', 'hafjax.ufm.search', 'hafjax.plots.spectrum'} <= set(modules)


def test_without_plots_the_library_needs_no_pictures():
  modules = run(
    'import importlib, sys\n'
    f'for name in {LIBRARY}:\n'
    '  if name != "plots":\n'
    '    importlib.import_module(f"hafjax.{name}")\n'
    'print(*sys.modules)\n'
  )
  assert (BANNED | {'matplotlib'}) & set(modules) <= {'absl'}
  assert 'hafjax.ufm.search' in modules


def test_modules_of_the_library_import_nothing_else():
  allowed = {'flax', 'hafjax', 'jax', 'jaxtyping', 'numpy', 'optax', 'scipy'}
  allowed |= sys.stdlib_module_names
  for module, file in module_files().items():
    if package(module) in set(LIBRARY) - {'plots'}:
      names = imported(ast.parse(file.read_text('utf-8')).body)
      assert {name.split('.')[0] for name in names} <= allowed, module


def test_the_program_imports_tensorflow_only_where_it_is_used():
  modules = run(
    'import sys\n'
    'from hafjax import methods, models\n'
    'from hafjax.data import dataset\n'
    'from hafjax.train import run\n'
    'print(*sys.modules)\n'
  )
  heavy = {'clu', 'grain', 'ml_collections', 'tensorflow_datasets'}
  assert not (heavy | {'tensorflow'}) & set(modules)
  assert 'hafjax.train.run' in modules


def test_packages_are_attributes_that_are_imported_when_used():
  found = run(
    'import sys\n'
    'import hafjax\n'
    'print("jax" in sys.modules)\n'
    'print(hafjax.frames.haframe.__name__)\n'
    'from hafjax import pictures, plots\n'
    'print(pictures is plots)\n'
    'print(*dir(hafjax))\n'
  )
  assert found[:3] == ['False', 'haframe', 'True']
  packages = {'frames', 'losses', 'metrics', 'collapse', 'ufm', 'plots'}
  packages |= {'hierarchy', 'decisions', 'numerics'}
  assert packages | {'__version__'} <= set(found[3:])
  assert not hasattr(hafjax, 'no_such_package')
