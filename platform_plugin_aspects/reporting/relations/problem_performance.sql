-- One row: a problem of a course.
-- From: answer_states of whole problems, marks for help, and course_structure for its name and place.
-- Key: the course and the problem. Problems that nobody answered are rows, too.
-- Population: Everybody who answered the problem, whether still enrolled or not.
-- Read by: boards
-- Freshness: at once
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   usage_key: Usage key of the problem.
--   block_id: Last part of the usage key.
--   problem_name: Name of the problem.
--   section_name: Name of its section.
--   subsection_name: Name of its subsection.
--   unit_name: Name of its unit.
--   course_order: Place in the course.
--   graded: Whether it counts for the grade.
--   learners: Learners who answered.
--   right_first: Learners whose first answer was right in all parts.
--   right_last: Learners whose last answer was right in all parts.
--   first_try_share: Share of the learners whose first answer was right, from 0 to 1.
--   attempts_mean: Attempts per learner, on average.
--   attempts_most: Most attempts of one learner.
--   asked_hint: Learners who asked for a hint.
--   asked_answer: Learners who asked for the answer.
--   discrimination: Share of right first answers among the best third of the learners, less that among the weakest
--     third; thirds by their points in the other problems. From -1 to 1. Near 0 or below, the problem does
--     not tell strong from weak learners. Null with fewer than 6 learners.
--   flags: Remarks on unusual numbers, in words; empty without any. "few right at first": first_try_share is below the
--     rule low_success. "does not tell strong from weak learners": discrimination is below low_discrimination. "many
--     attempts": attempts_mean is above many_attempts.
WITH
    results AS (
        SELECT *, sum(earned) OVER (PARTITION BY course_key, actor_id) - earned AS points_elsewhere
        FROM {answer_states}
        WHERE part = ''
    ),
    ranked AS (
        SELECT
            *,
            row_number() OVER (PARTITION BY course_key, problem_key ORDER BY points_elsewhere, actor_id) AS place,
            count() OVER (PARTITION BY course_key, problem_key) AS all_learners
        FROM results
    ),
    counted AS (
        SELECT
            course_key,
            problem_key,
            count() AS learners,
            countIf(ranked.right_first) AS right_first,
            countIf(ranked.right_last) AS right_last,
            avg(ranked.attempts) AS attempts_mean,
            max(ranked.attempts) AS attempts_most,
            avgIf(ranked.right_first, place > all_learners - intDiv(all_learners, 3)) AS best,
            avgIf(ranked.right_first, place <= intDiv(all_learners, 3)) AS weakest
        FROM ranked
        GROUP BY course_key, problem_key
    ),
    asked AS (
        SELECT
            course_key,
            thing AS problem_key,
            uniqExactIf(actor_id, kind = 'hint') AS hints,
            uniqExactIf(actor_id, kind = 'answer') AS answers
        FROM {marks}
        WHERE kind IN ('answer', 'hint')
        GROUP BY course_key, problem_key
    )
SELECT
    blocks.org AS org,
    blocks.course_key AS course_key,
    blocks.usage_key AS usage_key,
    blocks.block_id AS block_id,
    blocks.block_name AS problem_name,
    blocks.section_name AS section_name,
    blocks.subsection_name AS subsection_name,
    blocks.unit_name AS unit_name,
    blocks.course_order AS course_order,
    blocks.graded AS graded,
    counted.learners AS learners,
    counted.right_first AS right_first,
    counted.right_last AS right_last,
    round(if(learners > 0, right_first / learners, 0), 4) AS first_try_share,
    round(counted.attempts_mean, 4) AS attempts_mean,
    counted.attempts_most AS attempts_most,
    asked.hints AS asked_hint,
    asked.answers AS asked_answer,
    if(learners < 6, NULL, round(counted.best - counted.weakest, 4)) AS discrimination,
    arrayStringConcat(arrayFilter(flag -> flag != '', [
        if(learners > 0 AND first_try_share < {rule.low_success}, 'few right at first', ''),
        if(ifNull(discrimination < {rule.low_discrimination}, false), 'does not tell strong from weak learners', ''),
        if(attempts_mean > {rule.many_attempts}, 'many attempts', '')]), '; ') AS flags
FROM (SELECT * FROM {course_structure} WHERE block_type = 'problem') AS blocks
LEFT JOIN counted ON counted.course_key = blocks.course_key AND counted.problem_key = blocks.usage_key
LEFT JOIN asked ON asked.course_key = blocks.course_key AND asked.problem_key = blocks.usage_key
