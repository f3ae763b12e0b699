-- One row: the enrollment of a learner in a course, by the newest statement about it.
-- From: events, "registered" and "unregistered". Numbers of enrolled learners come from the platform's own table.
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
--   first_at SimpleAggregateFunction(min, DateTime64(6, 'UTC')): Moment of the first statement.
--   latest AggregateFunction(argMax, Tuple(Bool, String, DateTime64(6, 'UTC')), Tuple(DateTime64(6, 'UTC'), UUID)):
--     Whether enrolled, the mode, and since when, by moment and statement.
SELECT
    course_key,
    actor_id,
    min(emission_time) AS first_at,
    argMaxState(
        (CAST(verb = 'registered' AS Bool), CAST(mode AS String), emission_time), (identity(emission_time), event_id)) AS latest
FROM {source}
WHERE verb IN ('registered', 'unregistered')
GROUP BY course_key, actor_id
