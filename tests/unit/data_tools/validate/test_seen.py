"""Which rows came before, remembered in a few bytes each."""

from finscribe_trainer.data_tools.validate.seen import SeenRows, digest_of


def test_every_row_is_found_again_where_it_was_first_seen():
    seen = SeenRows()
    keys = [digest_of((f"row {number}",)) for number in range(20_000)]
    for number, key in enumerate(keys):
        assert seen.first(key, f"{'a' if number % 2 else 'b:c'}.jsonl:{number}") is None

    for number, key in enumerate(keys):
        where = f"{'a' if number % 2 else 'b:c'}.jsonl:{number}"
        assert seen.find(key) == seen.first(key, "later.jsonl:1") == where
    assert seen.find(digest_of(("another",))) is None


def test_what_is_cut_elsewhere_is_another_row():
    assert digest_of(("ab", "c")) != digest_of(("a", "bc")) != digest_of(("abc",))
