-- One row: how a learner does in a course, by the id in statements.
-- From: marks, activity and published_blocks. Each is read once, and there are few subqueries, because planning a query
--   over views takes as long as reading them.
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
--   days_active: Days on which the learner did something in the course.
--   active_7_days: Whether the learner did something today or on the 6 days before, UTC.
--   active_7_days_before: Whether the learner did something on the 7 days before those.
--   posts: Posts in the forum.
--   progress: Share of the blocks that learners can complete that the learner completed, from 0 to 1.
--   grade: Newest grade of the course, from 0 to 1; null without one.
--   passed: Whether the learner passes the course, by the newest statement about it.
--   is_away: At risk, because the last visit is longer ago than the rule away_days.
--   never_visited: At risk, because the enrollment is, and there was no visit.
--   has_low_grade: At risk, because the grade is below the rule low_grade.
--   is_behind: At risk, because the progress is below the rule behind, times the course's median of those who have not
--     left. Those who left or pass are not at risk.
WITH
    -- Marks with their block, and for each learner one row of what activity knows, of the kind "visits": adding these up
    -- is faster than joining them.
    known AS (
        SELECT
            newest.course_key AS course_key,
            newest.actor_id AS actor_id,
            newest.kind AS kind,
            newest.value AS value,
            newest.mode AS mode,
            newest.first_at AS first_at,
            newest.last_at AS last_at,
            blocks.number AS completable,
            0 AS days,
            0 AS posts,
            0 AS in_week,
            0 AS in_week_before
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
            FROM {published_blocks}
            WHERE completable
        ) AS blocks ON blocks.course_key = newest.course_key AND blocks.usage_key = newest.thing
        UNION ALL
        SELECT
            course_key, actor_id, 'visits', 0, '', min(states.first_at), max(states.last_at), 0,
            uniqExact(day),
            uniqExactMergeIf(states.posts, states.kind = 'posted'),
            max(day BETWEEN toDate({now}, 'UTC') - 6 AND toDate({now}, 'UTC')),
            max(day BETWEEN toDate({now}, 'UTC') - 13 AND toDate({now}, 'UTC') - 7)
        FROM {activity} AS states
        GROUP BY course_key, actor_id
    ),
    learners AS (
        SELECT
            known.course_key AS course_key,
            known.actor_id AS actor_id,
            -- 0 without a statement about the enrollment, 1 for those who left.
            maxIf(known.value + 1, kind = 'enrollment') AS state,
            maxIf(known.mode, kind = 'enrollment') AS mode,
            maxOrNullIf(known.first_at, kind = 'enrollment') AS enrolled_at,
            maxOrNullIf(known.last_at, kind = 'enrollment') AS changed_at,
            maxOrNullIf(known.last_at, kind = 'visits') AS last_visit,
            sum(known.days) AS days_active,
            max(known.in_week) AS active_7_days,
            max(known.in_week_before) AS active_7_days_before,
            sum(known.posts) AS posts,
            countIf(kind = 'completion' AND known.value >= 100 AND known.completable > 0) AS completed,
            round(completed / greatest(max(known.completable), 1), 4) AS progress,
            maxOrNullIf(known.value, kind = 'grade') AS grade,
            maxIf(known.value, kind = 'outcome') = 1 AS passed
        FROM known
        GROUP BY course_key, actor_id
        HAVING countIf(kind IN ('enrollment', 'visits')) > 0
    ),
    compared AS (
        SELECT
            *,
            state != 1 AND NOT passed AS may_be_at_risk,
            quantileExactInclusiveIf(0.5)(progress, state != 1) OVER (PARTITION BY course_key) AS middle
        FROM learners
    )
SELECT
    course_key,
    actor_id,
    multiIf(state = 0, 'unknown', state = 2, 'enrolled', 'left') AS enrollment,
    mode,
    enrolled_at,
    changed_at,
    CAST(last_visit AS Nullable(DateTime64(6, 'UTC'))) AS last_visit,
    days_active,
    active_7_days,
    active_7_days_before,
    posts,
    progress,
    grade,
    passed,
    may_be_at_risk AND ifNull(last_visit < {now} - toIntervalDay({rule.away_days}), false) AS is_away,
    may_be_at_risk AND isNull(last_visit)
        AND ifNull(enrolled_at < {now} - toIntervalDay({rule.away_days}), false) AS never_visited,
    may_be_at_risk AND ifNull(grade < {rule.low_grade}, false) AS has_low_grade,
    may_be_at_risk AND progress < {rule.behind} * middle AS is_behind
FROM compared
