-- One row: whether a learner passes a course.
-- From: events, "passed" and "failed" of courses.
-- Key: the course and the learner. The newest is by the moment of the act.
-- Read by: relations
-- Freshness: at once, in the insert of the statement
-- Engine: AggregatingMergeTree
-- Source: events
-- Month of: emission_time
-- Order by: course_key, actor_id
-- Columns:
--   course_key String: Key of the course.
--   actor_id String: Id of the learner in statements.
--   latest AggregateFunction(argMax, Bool, Tuple(DateTime64(6, 'UTC'), UUID)): Whether the learner passes.
SELECT
    course_key,
    actor_id,
    argMaxState(CAST(verb = 'passed' AS Bool), (identity(emission_time), event_id)) AS latest
FROM {source}
WHERE verb IN ('passed', 'failed') AND object_type = 'course'
GROUP BY course_key, actor_id
