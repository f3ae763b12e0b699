-- One row: a learner's newest grade in a course or in a subsection of it.
-- From: events, "earned".
-- Key: the course, the subsection (empty for the course) and the learner. The newest is by the moment of the act.
-- Read by: relations
-- Freshness: at once, in the insert of the statement
-- Engine: AggregatingMergeTree
-- Source: events
-- Month of: emission_time
-- Order by: course_key, subsection_key, actor_id
-- Columns:
--   course_key String: Key of the course.
--   subsection_key String: Usage key of the subsection; empty for the grade of the course.
--   actor_id String: Id of the learner in statements.
--   latest AggregateFunction(argMax, Tuple(Float64, Float64, Float64), Tuple(DateTime64(6, 'UTC'), UUID)): Score from 0
--     to 1, points and possible points.
--   last_at SimpleAggregateFunction(max, DateTime64(6, 'UTC')): Last moment.
SELECT
    course_key,
    if(object_type = 'course', '', object_id) AS subsection_key,
    actor_id,
    argMaxState(
        (assumeNotNull(scaled), ifNull(earned, 0.), ifNull(possible, 0.)), (identity(emission_time), event_id)) AS latest,
    max(emission_time) AS last_at
FROM {source}
WHERE verb = 'earned' AND isNotNull(scaled)
GROUP BY course_key, subsection_key, actor_id
