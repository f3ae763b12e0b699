-- One row: a learner's answers to a question of a problem, or results of a whole problem.
-- From: events, "evaluated".
-- Key: the course, the problem, the question and the learner. First and last are by the moment of the act.
-- Read by: relations
-- Freshness: at once, in the insert of the statement
-- Engine: AggregatingMergeTree
-- Source: events
-- Month of: emission_time
-- Order by: course_key, problem_key, part, actor_id
-- Columns:
--   course_key String: Key of the course.
--   problem_key String: Usage key of the problem.
--   part String: Question, such as "2_1" for the first of several; empty for the whole problem.
--   actor_id String: Id of the learner in statements.
--   first AggregateFunction(argMin, Tuple(Bool, String, Float64, Float64), Tuple(DateTime64(6, 'UTC'), UInt32, UUID)):
--     Whether right, the response, points and possible points of the first answer.
--   last AggregateFunction(argMax, Tuple(Bool, String, Float64, Float64), Tuple(DateTime64(6, 'UTC'), UInt32, UUID)):
--     The same of the last answer.
--   attempts SimpleAggregateFunction(max, UInt32): Greatest number of an attempt.
--   first_at SimpleAggregateFunction(min, DateTime64(6, 'UTC')): First moment.
--   last_at SimpleAggregateFunction(max, DateTime64(6, 'UTC')): Last moment.
WITH
    (CAST(ifNull(is_right, false) AS Bool), response, ifNull(earned, 0.), ifNull(possible, 0.)) AS answer,
    (identity(emission_time), attempt, event_id) AS version
SELECT
    course_key,
    object_id AS problem_key,
    part,
    actor_id,
    argMinState(answer, version) AS first,
    argMaxState(answer, version) AS last,
    max(greatest(attempt, 1)) AS attempts,
    min(emission_time) AS first_at,
    max(emission_time) AS last_at
FROM {source}
WHERE verb = 'evaluated' AND object_type = 'cmi.interaction' AND match(object_id, '^(ccx-)?block-v1:')
GROUP BY course_key, problem_key, part, actor_id
