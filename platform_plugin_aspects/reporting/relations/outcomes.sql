-- One row: whether a learner passes a course.
-- From: marks.
-- Key: the course and the learner.
-- Read by: relations
-- Freshness: at once
-- Columns:
--   course_key: Key of the course.
--   actor_id: Id of the learner in statements.
--   passed: Whether the learner passes.
SELECT course_key, actor_id, argMaxMerge(marks.value) = 1 AS passed
FROM {marks} AS marks
WHERE kind = 'outcome'
GROUP BY course_key, actor_id
