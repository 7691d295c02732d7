"""Donut's evaluator, as published, for the tests alone.

`util.py` is the class JSONParseEvaluator of https://github.com/clovaai/donut, `donut/util.py` at commit
4cfcf97, unchanged, with the imports that it needs (MIT, see LICENSE here).
"""
