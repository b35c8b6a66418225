# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Sections of the report, one file each, found by their names.

A module here offers

    TITLE             heading
    ORDER             sections stand in ascending order
    content(context)  -> HTML, see `report.context.Context`

and its name is the section's anchor.
"""

from collections.abc import Callable
import importlib
from typing import NamedTuple

from hafjax import plugins
from hafjax.report.context import Context


class Section(NamedTuple):
  """A part of the page."""

  anchor: str
  title: str
  content: Callable[[Context], str]


def all_sections() -> list[Section]:
  """In the order of the page."""
  modules = {
    name: importlib.import_module(f'{__name__}.{name}')
    for name in plugins.plugin_names(__name__)
  }
  return [
    Section(name, module.TITLE, module.content)
    for name, module in sorted(modules.items(), key=lambda m: m[1].ORDER)
  ]
