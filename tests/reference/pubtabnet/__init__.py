"""IBM's TEDS, as published, for the tests alone.

`metric.py` is `src/metric.py` of https://github.com/ibm-aur-nlp/PubTabNet at commit 8ffde90, unchanged
(Apache-2.0, see LICENSE here).
"""
