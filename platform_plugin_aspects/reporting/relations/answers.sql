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
--   first AggregateFunction(argMin, String, UInt256): "1" for a right answer or "0", and the response, of the first
--     answer by moment, attempt and id of the statement, as one number.
--   last AggregateFunction(argMax, String, UInt256): The same of the last answer.
--   earned AggregateFunction(argMax, Float64, UInt256): Points of the last answer.
--   attempts SimpleAggregateFunction(max, UInt32): Greatest number of an attempt.
--   first_at SimpleAggregateFunction(min, DateTime64(6, 'UTC')): First moment.
--   last_at SimpleAggregateFunction(max, DateTime64(6, 'UTC')): Last moment.
SELECT
    course_key,
    problem_key,
    part,
    actor_id,
    argMinState(answer, version) AS first,
    argMaxState(answer, version) AS last,
    argMaxState(points, version) AS earned,
    max(number) AS attempts,
    min(moment) AS first_at,
    max(moment) AS last_at
FROM
(
    SELECT
        course_key,
        object_id AS problem_key,
        part,
        actor_id,
        concat(if(ifNull(is_right, false), '1', '0'), response) AS answer,
        ifNull(earned, 0.) AS points,
        greatest(attempt, 1) AS number,
        emission_time AS moment,
        -- A number is compared faster than a tuple.
        bitOr(
            bitShiftLeft(toUInt256(toUnixTimestamp64Micro(emission_time)), 160),
            bitOr(bitShiftLeft(toUInt256(attempt), 128), toUInt256(reinterpretAsUInt128(event_id)))) AS version
    FROM {source}
    WHERE verb = 'evaluated' AND object_type = 'cmi.interaction' AND match(object_id, '^(ccx-)?block-v1:')
)
GROUP BY course_key, problem_key, part, actor_id
