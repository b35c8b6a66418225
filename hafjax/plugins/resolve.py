# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Finds plug-ins by name."""

from collections.abc import Collection
import importlib
import pkgutil
import types

from hafjax.errors import UserError
from hafjax.files.text import quote


class PluginError(UserError):
  """Unknown plug-in name; the message lists the known ones."""


def plugin_names(
  package: str, excluded: Collection[str] = ()
) -> tuple[str, ...]:
  """Names of the modules of a package, sorted.

  Args:
    package: dotted name, such as 'hafjax.methods'.
    excluded: modules that are not plug-ins but shared by them.
  """
  path = importlib.import_module(package).__path__
  names = {module.name for module in pkgutil.iter_modules(path)}
  return tuple(sorted(names - set(excluded)))


def plugin(
  package: str, name: str, kind: str, excluded: Collection[str] = ()
) -> types.ModuleType:
  """The module of a name.

  Args:
    package: where those that come with hafjax are, such as 'hafjax.methods'.
    name: of a module in the package; or, with a dot, of any module that can be
      imported, such as 'mylab.arcface'.
    kind: what it is, for the message: 'method'.
    excluded: modules of the package that are not plug-ins.

  Raises:
    PluginError: if there is no such module.
  """
  if not isinstance(name, str):
    raise PluginError(f'A {kind} is chosen by its name, got {quote(name)}.')
  if '.' in name:
    try:
      return importlib.import_module(name)
    except ModuleNotFoundError as error:
      if error.name is None or not f'{name}.'.startswith(f'{error.name}.'):
        raise  # Its own imports fail: a bug of the module's.
      raise PluginError(
        f'There is no {kind} {name!r}: Python cannot import the module '
        f'{error.name!r}; is its folder in PYTHONPATH?'
      ) from error
  names = plugin_names(package, excluded)
  if name not in names:
    raise PluginError(
      f'There is no {kind} {name!r}; there are {", ".join(names)}, or a module '
      'of your own by its dotted name.'
    )
  return importlib.import_module(f'{package}.{name}')
