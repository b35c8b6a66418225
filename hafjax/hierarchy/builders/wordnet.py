# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hierarchies of WordNet ids, such as ImageNet's classes."""

from collections.abc import Iterable, Mapping, Sequence
import os
import re
import warnings

from hafjax.files.text import quote
from hafjax.hierarchy import checks
from hafjax.hierarchy import records
from hafjax.hierarchy import tree
from hafjax.hierarchy.formats import text

Edges = text.PathLike | Iterable[Sequence[str]]
# The parents of each id, in any order.
_Parents = Mapping[str, Iterable[str]]


def from_wordnet(
  wnids: Iterable[str],
  edges: Edges | None = None,
  words: text.PathLike | Mapping[str, str] | None = None,
  root: str | None = None,
  collapse: bool = False,
) -> tree.Hierarchy:
  """Makes a hierarchy from WordNet ids and what they are kinds of.

  In WordNet a meaning may be a kind of several: a dog is a canine and a
  domestic animal. Of its parents, each node keeps the one that is farthest from
  the top by its longest way up (ties go to the smaller id), for that is the
  most specific: dogs are canines, and near to wolves. A node's parent does not
  depend on which classes are asked for, nor on the order of the edges. With
  WordNet 3.0, all nodes of the published path lie on the path for 602 of the
  608 classes of tieredImageNet-H (603 with its root n00001930), and for 428 if
  the shortest way up is kept.

  The tree begins at the lowest common ancestor of all classes.

  Args:
    wnids: of the classes, in class order, such as 'n02084071'.
    edges: (parent, child) pairs of ids, or a file of them, 'parent child' a
      line, as ImageNet's `wordnet.is_a.txt`; by default NLTK's WordNet 3.0, if
      it is installed.
    words: names of ids, or a file of them, an id and its words a line, as
      ImageNet's `words.txt`: the first word, before a comma, is the name. Where
      nodes share a name, their ids follow it in brackets. By default, and for
      ids that have no words, ids are names.
    root: an id; parents that do not lie below it do not count.
    collapse: whether to leave out inner nodes that have a single child.

  Raises:
    HierarchyError: an id is unknown, or occurs twice, or is an ancestor of
      another; the classes have no common ancestor; the edges have a cycle; a
      file cannot be read; or neither edges nor NLTK's WordNet are there.
  """
  wnids = _checked_ids(wnids)
  all_parents = _nltk_parents(wnids) if edges is None else _parents(edges)
  known = _closure(wnids, all_parents)
  _check_known(wnids, all_parents, known)
  if root is not None:
    known = _below(root, known)
  chosen = _deepest_parents(known)
  paths = [_path(wnid, chosen) for wnid in wnids]
  _check_paths(wnids, paths, root)
  paths = _from_common_ancestor(paths)
  if collapse:
    paths = _without_unary(paths)
  names = _names(paths, words)
  return tree.Hierarchy.from_paths(
    [[names[node] for node in path] for path in paths]
  )


def _checked_ids(wnids) -> list[str]:
  seen = {}
  for i, wnid in enumerate(checks.items(wnids, 'wnids')):
    if not isinstance(wnid, str) or not wnid.strip():
      raise checks.HierarchyError(
        f"wnids[{i}] must be an id such as 'n02084071', got {quote(wnid)}."
      )
    if wnid in seen:
      raise checks.HierarchyError(
        f'wnids[{i}]: {quote(wnid)} is already at wnids[{seen[wnid]}].'
      )
    seen[str(wnid)] = i
  if not seen:
    raise checks.HierarchyError('wnids: no classes.')
  return list(seen)


def _parents(edges: Edges) -> _Parents:
  """Of the edges that are given, or in a file."""
  if isinstance(edges, str | os.PathLike):
    source = records.Source('line', str(edges), [])
    pairs = text.columns(text.read(edges), source, None)
  else:
    pairs = checks.items(edges, 'edges')
  found = {}
  for i, pair in enumerate(pairs):
    names = checks.strings(pair)
    if names is None or len(names) != 2:
      raise checks.HierarchyError(
        f'edge {i + 1}: expected a pair of ids (parent, child), got '
        f'{quote(pair)}.'
      )
    found.setdefault(names[1], []).append(names[0])
    found.setdefault(names[0], [])
  return found


def _nltk_parents(wnids: Sequence[str]) -> _Parents:
  """The ancestors of some ids, from NLTK's corpus."""
  try:
    from nltk.corpus import wordnet

    wordnet.ensure_loaded()
  except (ImportError, LookupError) as error:
    raise checks.HierarchyError(
      'NLTK with its WordNet is not installed; pass edges, such as a file of '
      "'parent child' lines (ImageNet's wordnet.is_a.txt)."
    ) from error

  found, todo = {}, []
  with warnings.catch_warnings(action='ignore'):  # Of what it does not know.
    for wnid in wnids:
      if re.fullmatch('n[0-9]{8}', wnid):
        todo.append(wordnet.synset_from_pos_and_offset('n', int(wnid[1:])))
  todo = [synset for synset in todo if synset is not None]
  while todo:
    synset = todo.pop()
    wnid = f'n{synset.offset():08d}'
    if wnid not in found:
      above = synset.hypernyms() + synset.instance_hypernyms()
      found[wnid] = [f'n{parent.offset():08d}' for parent in above]
      todo += above
  return found


def _closure(wnids: Sequence[str], parents: _Parents) -> dict[str, list[str]]:
  """The parents of the ids and of all their ancestors, each once."""
  found, todo = {}, list(wnids)
  while todo:
    node = todo.pop()
    if node not in found:
      found[node] = sorted(set(parents.get(node, ())))
      todo += found[node]
  return found


def _check_known(wnids, all_parents, known) -> None:
  inner = {parent for above in known.values() for parent in above}
  for i, wnid in enumerate(wnids):
    if wnid not in all_parents:
      problem = 'is unknown; no edge has it'
    elif not known[wnid]:
      problem = 'has no node above it'
    elif wnid in inner:
      problem = 'is an ancestor of another class; a class is a leaf'
    else:
      continue
    raise checks.HierarchyError(f'wnids[{i}]: {quote(wnid)} {problem}.')


def _children(parents: _Parents) -> dict[str, list[str]]:
  found = {node: [] for node in parents}
  for node, above in parents.items():
    for parent in above:
      found[parent].append(node)
  return found


def _below(root: str, parents: _Parents) -> dict[str, list[str]]:
  """What is left below a root."""
  children, kept, todo = _children(parents), set(), [root]
  while todo:
    node = todo.pop()
    if node not in kept:
      kept.add(node)
      todo += children.get(node, ())
  left = {
    node: [parent for parent in above if parent in kept]
    for node, above in parents.items()
  }
  # Even where the edges have something above it.
  left[root] = []
  return left


def _deepest_parents(parents: _Parents) -> dict[str, str]:
  """The parent of each node that has any: farthest from the top, then least."""
  children = _children(parents)
  waiting = {node: len(above) for node, above in parents.items()}
  depths = {node: 0 for node, above in parents.items() if not above}
  todo, chosen = list(depths), {}
  while todo:
    node = todo.pop()
    if parents[node]:
      chosen[node] = min(parents[node], key=lambda p: (-depths[p], p))
      depths[node] = depths[chosen[node]] + 1
    for child in children[node]:
      waiting[child] -= 1
      if not waiting[child]:
        todo.append(child)
  if len(depths) < len(parents):
    lost = min(set(parents) - set(depths))
    raise checks.HierarchyError(
      f'edges: there is a cycle in the ancestors of {quote(lost)}.'
    )
  return chosen


def _path(wnid: str, chosen: Mapping[str, str]) -> list[str]:
  path = [wnid]
  while path[-1] in chosen:
    path.append(chosen[path[-1]])
  return path[::-1]


def _check_paths(wnids, paths, root) -> None:
  """Raises unless all ways up end at the same node."""
  top = paths[0][0] if root is None else root
  for i, path in enumerate(paths):
    if path[0] == top and len(path) > 1:
      continue
    if root is not None:
      raise checks.HierarchyError(
        f'wnids[{i}]: {quote(wnids[i])} is not below the root {quote(root)}.'
      )
    raise checks.HierarchyError(
      f'wnids[{i}]: {quote(wnids[i])} leads up to '
      f'{quote(path[0])}, but wnids[0] to {quote(top)}; name a '
      'root that they have in common.'
    )


def _from_common_ancestor(paths: list[list[str]]) -> list[list[str]]:
  """Paths without what all begin with, but for the last node of that."""
  start, shortest = 0, min(map(len, paths))
  while start + 2 < shortest and len({path[start + 1] for path in paths}) == 1:
    start += 1
  return [path[start:] for path in paths]


def _without_unary(paths: list[list[str]]) -> list[list[str]]:
  """Paths without the inner nodes below the root that have a single child."""
  children = {}
  for path in paths:
    for parent, child in zip(path[:-1], path[1:], strict=True):
      children.setdefault(parent, set()).add(child)
  return [
    [path[0]] + [node for node in path[1:] if len(children.get(node, ())) != 1]
    for path in paths
  ]


def _names(paths, words) -> dict[str, str]:
  """The name of each node; no two nodes share one."""
  nodes = list(dict.fromkeys(node for path in paths for node in path))
  if words is None:
    return dict(zip(nodes, nodes, strict=True))
  if not isinstance(words, Mapping):
    words = _read_words(words)
  names = {node: words.get(node, node) for node in nodes}
  counts = {}
  for name in names.values():
    counts[name] = counts.get(name, 0) + 1
  return {
    node: name if counts[name] == 1 else f'{name} ({node})'
    for node, name in names.items()
  }


def _read_words(file: text.PathLike) -> dict[str, str]:
  source = records.Source('line', str(file), [])
  found = {}
  for i, line in enumerate(text.lines(text.read(file), source)):
    wnid, *rest = line.split(maxsplit=1)
    name = ''.join(rest).split(',')[0].strip()
    if not name:
      raise source.error(i, f'expected an id and its words, got {quote(line)}')
    found[wnid] = name
  return found
