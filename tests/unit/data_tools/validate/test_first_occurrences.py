"""The hash table of first occurrences."""

from finscribe_trainer.data_tools.validate.first_occurrences import FirstOccurrences, digest_of


def test_the_first_location_of_every_digest_is_found():
    seen = FirstOccurrences()
    keys = [digest_of((f"row {number}",)) for number in range(20_000)]
    for number, key in enumerate(keys):
        assert seen.find_or_add(key, f"{'a' if number % 2 else 'b:c'}.jsonl:{number}") is None

    for number, key in enumerate(keys):
        where = f"{'a' if number % 2 else 'b:c'}.jsonl:{number}"
        assert seen.find(key) == seen.find_or_add(key, "later.jsonl:1") == where
    assert seen.find(digest_of(("another",))) is None


def test_digests_depend_on_the_boundaries_of_parts():
    assert digest_of(("ab", "c")) != digest_of(("a", "bc")) != digest_of(("abc",))
