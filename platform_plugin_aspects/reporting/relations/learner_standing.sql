-- One row: how a learner does in a course, by the id in statements.
-- From: marks, activity and course_structure. Each is read once and grouped once, because planning a query over views
--   of marks takes as long as reading them.
-- Key: the course and the learner.
-- Read by: relations
-- Freshness: at once
-- Columns:
--   course_key: Key of the course.
--   actor_id: Id of the learner in statements.
--   enrollment: "enrolled", "left", or "unknown" without a statement about it.
--   mode: Enrollment track; empty where unknown.
--   enrolled_at: Moment of the first statement about the enrollment; null where unknown.
--   changed_at: Moment of the newest statement about the enrollment; null where unknown.
--   last_visit: Moment at which the learner last did something in the course; null if never.
--   progress: Share of the blocks that learners can complete that the learner completed, from 0 to 1.
--   grade: Newest grade of the course, from 0 to 1; null without one.
--   passed: Whether the learner passes the course, by the newest statement about it.
--   reasons: Why the learner is at risk, in words, as learner_status has it; empty if not at risk.
WITH
    -- One row for what each table knows of a learner, and nothing in the columns of the other: adding these up is faster
    -- than joining them.
    known AS (
        SELECT
            newest.course_key AS course_key,
            newest.actor_id AS actor_id,
            maxIf(if(newest.value = 1, 2, 1), newest.kind = 'enrollment') AS enrolled,
            maxIf(newest.mode, newest.kind = 'enrollment') AS mode,
            maxOrNullIf(newest.first_at, newest.kind = 'enrollment') AS enrolled_at,
            maxOrNullIf(newest.last_at, newest.kind = 'enrollment') AS changed_at,
            CAST(NULL AS Nullable(DateTime64(6, 'UTC'))) AS last_visit,
            countIf(newest.kind = 'completion' AND newest.value >= 100 AND blocks.number > 0) AS completed,
            max(blocks.number) AS completable,
            maxOrNullIf(newest.value, newest.kind = 'grade') AS grade,
            countIf(newest.kind = 'outcome' AND newest.value = 1) > 0 AS passed,
            countIf(newest.kind = 'enrollment') > 0 AS is_learner
        FROM
        (
            SELECT
                course_key, kind, thing, actor_id,
                argMaxMerge(states.value) AS value,
                argMaxMerge(states.mode) AS mode,
                min(states.first_at) AS first_at,
                max(states.last_at) AS last_at
            FROM {marks} AS states
            WHERE kind IN ('enrollment', 'completion', 'grade', 'outcome') AND (kind != 'grade' OR thing = '')
            GROUP BY course_key, kind, thing, actor_id
        ) AS newest
        LEFT JOIN
        (
            SELECT course_key, usage_key, count() OVER (PARTITION BY course_key) AS number
            FROM {course_structure}
            WHERE completable
        ) AS blocks ON blocks.course_key = newest.course_key AND blocks.usage_key = newest.thing
        GROUP BY course_key, actor_id
        UNION ALL
        SELECT course_key, actor_id, 0, '', NULL, NULL, max(states.last_at), 0, 0, NULL, false, true
        FROM {activity} AS states
        GROUP BY course_key, actor_id
    ),
    learners AS (
        SELECT
            known.course_key AS course_key,
            known.actor_id AS actor_id,
            max(known.enrolled) AS state,
            max(known.mode) AS mode,
            max(known.enrolled_at) AS enrolled_at,
            max(known.changed_at) AS changed_at,
            max(known.last_visit) AS last_visit,
            sum(known.completed) AS completed,
            max(known.completable) AS completable,
            max(known.grade) AS grade,
            max(known.passed) AS passed
        FROM known
        GROUP BY course_key, actor_id
        HAVING max(known.is_learner)
    ),
    facts AS (
        SELECT
            *,
            multiIf(state = 0, 'unknown', state = 2, 'enrolled', 'left') AS enrollment,
            round(if(completable > 0, completed / completable, 0), 4) AS progress,
            enrollment != 'left' AND NOT passed AS may_be_at_risk
        FROM learners
    ),
    compared AS (
        SELECT
            *,
            quantileExactInclusiveIf(0.5)(progress, enrollment != 'left') OVER (PARTITION BY course_key) AS median_progress
        FROM facts
    )
SELECT
    course_key,
    actor_id,
    enrollment,
    mode,
    enrolled_at,
    changed_at,
    last_visit,
    progress,
    grade,
    passed,
    if(NOT may_be_at_risk, '', arrayStringConcat(arrayFilter(reason -> reason != '', [
        if(
            isNotNull(last_visit) AND last_visit < {now} - toIntervalDay({rule.away_days}),
            'no visit for {rule.away_days} days', ''),
        if(
            isNull(last_visit) AND ifNull(enrolled_at < {now} - toIntervalDay({rule.away_days}), false),
            'never visited', ''),
        if(ifNull(grade < {rule.low_grade}, false), 'low grade', ''),
        if(progress < {rule.behind} * median_progress, 'behind the others', '')]), '; ')) AS reasons
FROM compared
