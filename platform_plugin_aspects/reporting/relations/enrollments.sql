-- One row: the enrollment of a learner in a course, by the newest statement about it.
-- From: marks. Numbers of enrolled learners come from the platform's own table.
-- Key: the course and the learner.
-- Read by: relations
-- Freshness: at once
-- Columns:
--   course_key: Key of the course.
--   actor_id: Id of the learner in statements.
--   is_enrolled: Whether the learner is enrolled.
--   mode: Enrollment track.
--   first_at: Moment of the first statement.
--   last_at: Moment of the newest statement.
SELECT
    course_key,
    actor_id,
    argMaxMerge(marks.value) = 1 AS is_enrolled,
    argMaxMerge(marks.mode) AS mode,
    min(marks.first_at) AS first_at,
    max(marks.last_at) AS last_at
FROM {marks} AS marks
WHERE kind = 'enrollment'
GROUP BY course_key, actor_id
