-- One row: a wrong answer to a question of a problem that several learners gave.
-- From: answer_states, and course_structure for the problem's name.
-- Key: the course, the problem, the question and the answer. Answers of fewer learners than the rule smallest_group are
--   left out, because a rare answer may say who gave it, unless boards show names.
-- Population: Everybody who answered the question, whether still enrolled or not. First answers count.
-- Read by: boards
-- Freshness: at once
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   usage_key: Usage key of the problem.
--   block_id: Last part of the usage key.
--   problem_name: Name of the problem.
--   question: Number of the question in the problem, from 1.
--   answer: The answer, at most 500 characters.
--   learners: Learners whose first answer it was.
--   share: Their share of those who answered the question, from 0 to 1.
WITH
    given AS (
        SELECT
            course_key,
            problem_key,
            if(part = '', 1, greatest(toInt32OrZero(extract(part, '^([0-9]+)')) - 1, 1)) AS question,
            first_response,
            right_first,
            actor_id,
            uniqExact(actor_id) OVER (PARTITION BY course_key, problem_key, question) AS of
        FROM {answer_states}
        WHERE first_response != ''
    )
SELECT
    blocks.org AS org,
    given.course_key AS course_key,
    given.problem_key AS usage_key,
    any(blocks.block_id) AS block_id,
    any(blocks.block_name) AS problem_name,
    given.question AS question,
    given.first_response AS answer,
    uniqExact(given.actor_id) AS learners,
    round(learners / any(given.of), 4) AS share
FROM given
INNER JOIN {course_structure} AS blocks ON blocks.course_key = given.course_key AND blocks.usage_key = given.problem_key
WHERE NOT given.right_first
GROUP BY org, course_key, usage_key, question, answer
HAVING learners >= {rule.smallest_shown}
