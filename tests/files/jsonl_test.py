# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""JSON files: whole or an object a line."""

import json
import math
import os

import pytest

from hafjax.files import jsonl


def test_lines_are_appended_replaced_and_read(tmp_path):
  file = tmp_path / 'log.jsonl'
  assert jsonl.read_lines(file) == []
  for step in range(3):
    jsonl.append_line(file, {'step': step, 'loss': math.inf})
  assert [line['step'] for line in jsonl.read_lines(file)] == [0, 1, 2]
  assert math.isinf(jsonl.read_lines(file)[0]['loss'])
  # As after a kill.
  file.write_text(file.read_text() + '{"step": 3, "lo')
  assert len(jsonl.read_lines(file)) == 3
  jsonl.write_lines(file, [{'step': 7}, {'step': 8}])
  assert jsonl.read_lines(file) == [{'step': 7}, {'step': 8}]
  file.write_text('{"step": 7}\n{"st\n{"step": 8}\n')
  with pytest.raises(jsonl.JsonError, match='line 2 is damaged'):
    jsonl.read_lines(file)


def test_what_cannot_be_written_leaves_the_old_file(tmp_path, monkeypatch):
  file = tmp_path / 'results.json'
  jsonl.write_json(file, {'top1': 0.5})
  with pytest.raises(TypeError):
    jsonl.write_json(file, {'top1': object()})
  assert jsonl.read(file) == {'top1': 0.5}

  def killed(*paths):
    raise KeyboardInterrupt

  monkeypatch.setattr(os, 'replace', killed)
  with pytest.raises(KeyboardInterrupt):
    jsonl.write_json(file, {'top1': 0.7})
  assert jsonl.read(file) == {'top1': 0.5}


@pytest.mark.parametrize(
  'text',
  [b'', b'{', b'[' * 100_000, b'9' * 5000, b'"\\ud800"', b'\xff', b'[' * 101],
)
def test_what_is_not_json(text):
  with pytest.raises(jsonl.JsonError) as caught:
    jsonl.parse(text)
  assert '\n' not in str(caught.value)


def test_how_deep_json_may_be():
  text = b'[' * 100 + b']' * 100
  assert json.loads(text) == jsonl.parse(text)
  with pytest.raises(jsonl.JsonError, match='more than 100 levels'):
    jsonl.parse(b'[' + text + b']')
