-- One row: a learner went to a unit of a subsection.
-- From: events, "navigated".
-- Key: the course, the subsection, the number of the unit there, and the learner.
-- Read by: relations
-- Freshness: at once, in the insert of the statement
-- Engine: AggregatingMergeTree
-- Source: events
-- Month of: emission_time
-- Order by: course_key, subsection_key, page, actor_id
-- Columns:
--   course_key String: Key of the course.
--   subsection_key String: Usage key of the subsection.
--   page UInt16: Number of the unit in it, from 1.
--   actor_id String: Id of the learner in statements.
--   first_at SimpleAggregateFunction(min, DateTime64(6, 'UTC')): First time.
--   last_at SimpleAggregateFunction(max, DateTime64(6, 'UTC')): Last time.
SELECT
    course_key,
    object_id AS subsection_key,
    page,
    actor_id,
    min(emission_time) AS first_at,
    max(emission_time) AS last_at
FROM {source}
WHERE verb = 'navigated' AND page > 0
GROUP BY course_key, subsection_key, page, actor_id
