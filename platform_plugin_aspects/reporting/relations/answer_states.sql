-- One row: a learner's results in a question of a problem, or in a whole problem.
-- From: answers.
-- Key: the course, the problem, the question and the learner.
-- Read by: relations
-- Freshness: at once
-- Columns:
--   course_key: Key of the course.
--   problem_key: Usage key of the problem.
--   part: Question, such as "2_1"; empty for the whole problem.
--   actor_id: Id of the learner in statements.
--   right_first: Whether the first answer was right.
--   right_last: Whether the last answer was right.
--   first_response: First answer.
--   last_response: Last answer.
--   earned: Points of the last answer.
--   attempts: Attempts.
--   last_at: Moment of the last answer.
SELECT
    course_key,
    problem_key,
    part,
    actor_id,
    startsWith(first_answer, '1') AS right_first,
    startsWith(last_answer, '1') AS right_last,
    substring(first_answer, 2) AS first_response,
    substring(last_answer, 2) AS last_response,
    points AS earned,
    most AS attempts,
    latest AS last_at
FROM
(
    SELECT
        course_key,
        problem_key,
        part,
        actor_id,
        argMinMerge(answers.first) AS first_answer,
        argMaxMerge(answers.last) AS last_answer,
        argMaxMerge(answers.earned) AS points,
        max(answers.attempts) AS most,
        max(answers.last_at) AS latest
    FROM {answers} AS answers
    GROUP BY course_key, problem_key, part, actor_id
)
