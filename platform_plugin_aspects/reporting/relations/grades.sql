-- One row: a learner's newest grade in a course or in a subsection of it.
-- From: marks.
-- Key: the course, the subsection (empty for the course) and the learner.
-- Read by: relations
-- Freshness: at once
-- Columns:
--   course_key: Key of the course.
--   subsection_key: Usage key of the subsection; empty for the grade of the course.
--   actor_id: Id of the learner in statements.
--   score: Newest score, from 0 to 1.
--   last_at: Last moment.
SELECT
    course_key,
    thing AS subsection_key,
    actor_id,
    argMaxMerge(marks.value) AS score,
    max(marks.last_at) AS last_at
FROM {marks} AS marks
WHERE kind = 'grade'
GROUP BY course_key, subsection_key, actor_id
