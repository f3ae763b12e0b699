-- One row: the newest of a kind that a learner did to something in a course: enrolled, went to a unit, completed a
--   block, got a grade, passed, or asked for help.
-- From: events. One table instead of one for each kind, because each table costs every insert of statements the same,
--   however few rows it gets.
-- Key: the course, the kind, the thing, the page and the learner. The newest is by the moment of the act.
-- Read by: relations
-- Freshness: at once, in the insert of the statement
-- Engine: AggregatingMergeTree
-- Source: events
-- Month of: emission_time
-- Order by: course_key, kind, thing, page, actor_id
-- Columns:
--   course_key String: Key of the course.
--   kind LowCardinality(String): "enrollment", "page", "completion", "grade", "outcome", "hint" or "answer".
--   thing String: Usage key of the block, or of the subsection for pages and grades; empty for the course.
--   page UInt16: Number of the unit in the subsection for pages, from 1; 0 for others.
--   actor_id String: Id of the learner in statements.
--   value AggregateFunction(argMax, Float64, UInt256): Score of a grade from 0 to 1, completion from 0 to 100, 1 for
--     enrolled or passed, else 0; by the moment and the id of the statement, as one number.
--   mode AggregateFunction(argMax, String, UInt256): Enrollment track, for enrollments.
--   first_at SimpleAggregateFunction(min, DateTime64(6, 'UTC')): First moment.
--   last_at SimpleAggregateFunction(max, DateTime64(6, 'UTC')): Last moment.
SELECT
    course_key,
    kind,
    thing,
    page,
    actor_id,
    argMaxState(value_then, version) AS value,
    argMaxStateIf(mode_then, version, kind = 'enrollment') AS mode,
    min(moment) AS first_at,
    max(moment) AS last_at
FROM
(
    SELECT
        course_key,
        multiIf(
            verb IN ('registered', 'unregistered'), 'enrollment',
            verb = 'navigated', 'page',
            verb = 'progressed', 'completion',
            verb = 'earned', 'grade',
            verb IN ('passed', 'failed'), 'outcome',
            object_type = 'solution', 'answer',
            'hint') AS kind,
        if(verb IN ('registered', 'unregistered') OR object_type = 'course', '', object_id) AS thing,
        if(verb = 'navigated', page, 0) AS page,
        actor_id,
        multiIf(
            verb IN ('registered', 'passed'), 1.,
            verb = 'earned', assumeNotNull(scaled),
            verb = 'progressed', assumeNotNull(progress),
            0.) AS value_then,
        CAST(mode AS String) AS mode_then,
        emission_time AS moment,
        -- A number is compared faster than a tuple.
        bitOr(
            bitShiftLeft(toUInt256(toUnixTimestamp64Micro(emission_time)), 128),
            toUInt256(reinterpretAsUInt128(event_id))) AS version
    FROM {source}
    WHERE verb IN ('registered', 'unregistered')
        OR (verb = 'navigated' AND page > 0)
        OR (verb = 'progressed' AND isNotNull(progress) AND match(object_id, '^(ccx-)?block-v1:'))
        OR (verb = 'earned' AND isNotNull(scaled))
        OR (verb IN ('passed', 'failed') AND object_type = 'course')
        OR (verb = 'asked' AND match(object_id, '^(ccx-)?block-v1:'))
)
GROUP BY course_key, kind, thing, page, actor_id
