# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies that several test files share."""

from collections.abc import Sequence
from typing import Any

import hypothesis
from hypothesis import strategies as st

from hafjax.hierarchy import Hierarchy

# On a busy machine, or while JAX compiles, an example takes as long as it
# takes.
hypothesis.settings.register_profile('hafjax', deadline=None)
hypothesis.settings.load_profile('hafjax')


@st.composite
def trees(draw, max_nodes: int = 30, min_classes: int = 1) -> Hierarchy:
  """Draws a tree: ragged, with unary nodes, classes in any order.

  Shrinks to a star of few classes. In some trees, inner nodes share names.

  Args:
    max_nodes: how many nodes at most; more than `min_classes`.
    min_classes: how many classes at least, 1 or more.
  """
  num_nodes = draw(st.integers(min_classes + 1, max_nodes))
  parents = [-1]
  for node in range(1, num_nodes):
    # The last nodes stay childless, so that there are enough classes.
    last = min(node, num_nodes - min_classes) - 1
    parents.append(draw(st.integers(0, last)))
  leaves = sorted(set(range(num_nodes)) - set(parents))
  number = list(range(num_nodes))
  if draw(st.booleans()):
    number = [parents[:node].count(parents[node]) for node in number]
  names = [f'group {i}' for i in number]
  for leaf in leaves:
    names[leaf] = f'class {leaf}'
  classes = [names[leaf] for leaf in draw(st.permutations(leaves))]
  return Hierarchy.from_parents(parents, names, classes)


# --- Damaged files -----------------------------------------------------------


@st.composite
def damaged(
  draw, contents: st.SearchStrategy[bytes], pieces: st.SearchStrategy[bytes]
) -> bytes:
  """Draws a content of a file with a few changes.

  Args:
    contents: of valid files.
    pieces: what the format gives a meaning to, which is put in.
  """
  content = draw(contents)
  for _ in range(draw(st.integers(1, 4))):
    start = draw(st.integers(0, len(content)))
    end = draw(st.integers(start, min(len(content), start + 12)))
    kind = draw(
      st.sampled_from(['replace', 'insert', 'delete', 'repeat', 'flip', 'cut'])
    )
    if kind == 'delete':
      content = content[:start] + content[end:]
    elif kind == 'repeat':
      content = content[:end] + content[start:]
    elif kind == 'insert':
      content = content[:start] + draw(pieces) + content[start:]
    elif kind == 'cut':
      content = content[:start]
    elif kind == 'flip':
      byte = draw(st.integers(0, 255))
      content = content[:start] + bytes([byte]) + content[start + 1 :]
    else:
      content = content[:start] + draw(pieces) + content[end:]
  return content


def json_values(keys: Sequence[str] = ()) -> st.SearchStrategy[Any]:
  """Anything that JSON can say, numbers too large for others among it."""
  names = st.text(max_size=3)
  if keys:
    names = st.one_of(st.sampled_from(keys), names)
  return st.recursive(
    st.one_of(
      *(st.none(), st.booleans(), st.integers(), st.floats()),
      st.text(max_size=5),
      st.sampled_from([10**400, -(2**63), 1e308, 'NaN', '\n', 0, -1]),
    ),
    lambda inner: st.one_of(
      st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=4)
    ),
    max_leaves=10,
  )


@st.composite
def changed_json(draw, value: Any, level: int = 0) -> Any:
  """Draws JSON with a value, somewhere in it, that is another or missing."""
  if level and not draw(st.integers(0, 3)):
    return draw(json_values())
  if not isinstance(value, dict | list) or not value:
    return draw(json_values())
  keys = sorted(value) if isinstance(value, dict) else range(len(value))
  key = draw(st.sampled_from(keys))
  changed = value.copy()
  if draw(st.integers(0, 5)):
    changed[key] = draw(changed_json(value[key], level + 1))
  else:
    del changed[key]
  return changed
