from finscribe_core.api.conditions import Condition, ConditionType, set_condition


def running(conditions: list[Condition], *, holds: bool | None, reason: str, now: str) -> list[Condition]:
    return set_condition(
        conditions,
        ConditionType.Running,
        holds=holds,
        reason=reason,
        message="",
        generation=2,
        now=now,
    )


def test_a_new_condition_is_appended():
    conditions = running([], holds=True, reason="Training", now="10:00")

    assert [(c.type, c.status, c.observed_generation) for c in conditions] == [("Running", "True", 2)]


def test_the_transition_time_stays_while_only_the_reason_changes():
    first = running([], holds=True, reason="Training", now="10:00")
    second = running(first, holds=True, reason="Uploading", now="11:00")

    assert (second[0].reason, second[0].last_transition_time) == ("Uploading", "10:00")


def test_the_transition_time_changes_with_the_status():
    first = running([], holds=True, reason="Training", now="10:00")
    second = running(first, holds=False, reason="Finished", now="11:00")

    assert second[0].last_transition_time == "11:00"


def test_other_conditions_keep_their_place():
    both = set_condition(
        running([], holds=True, reason="Training", now="10:00"),
        ConditionType.Complete,
        holds=False,
        reason="NotFinished",
        message="",
        generation=2,
        now="10:00",
    )

    assert [c.type for c in running(both, holds=False, reason="Finished", now="11:00")] == [
        "Running",
        "Complete",
    ]


def test_a_condition_can_be_unknown():
    conditions = running([], holds=None, reason="NodeUnreachable", now="10:00")

    assert [c.status for c in conditions] == ["Unknown"]
