-- One row: a problem in a subsection of a course, for boards about the subsection.
-- From: problem_performance and course_structure.
-- Key: the course and the problem. Problems that nobody answered are rows, too; those beside subsections are left out.
-- Population: Everybody who answered the problem, whether still enrolled or not.
-- Read by: boards
-- Freshness: at once
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   usage_key: Usage key of the problem.
--   block_id: Last part of the usage key of the subsection, not of the problem.
--   subsection_name: Name of the subsection.
--   unit_name: Name of the problem's unit.
--   problem_name: Name of the problem.
--   course_order: Place in the course.
--   learners: Learners who answered.
--   first_try_share: Share of the learners whose first answer was right in all parts, from 0 to 1.
--   right_last: Learners whose last answer was right in all parts.
--   attempts_mean: Attempts per learner, on average.
--   flags: Remarks on unusual numbers, in words, as problem_performance defines them; empty without any.
SELECT
    problems.org AS org,
    problems.course_key AS course_key,
    problems.usage_key AS usage_key,
    extract(blocks.subsection_key, '@([^@/]+)$') AS block_id,
    problems.subsection_name AS subsection_name,
    problems.unit_name AS unit_name,
    problems.problem_name AS problem_name,
    problems.course_order AS course_order,
    problems.learners AS learners,
    problems.first_try_share AS first_try_share,
    problems.right_last AS right_last,
    problems.attempts_mean AS attempts_mean,
    problems.flags AS flags
FROM {problem_performance} AS problems
INNER JOIN {course_structure} AS blocks
    ON blocks.course_key = problems.course_key AND blocks.usage_key = problems.usage_key
WHERE blocks.subsection_key != ''
